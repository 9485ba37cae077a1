/** What a script may rely on. Written in `--help` and docs/cli.md. */
export const exitStatus = {
  done: 0,
  error: 1,
  differences: 2,
  failed: 3,
  timedOut: 4,
  paused: 5,
  superseded: 6,
} as const

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

export const exitStatusHelp = `Exit status: 0 done, 1 error or bad usage, 2 differences, 3 failed or rolled back,
4 timed out waiting, 5 paused (a person must act), 6 superseded by a newer commit`
