import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { execute, lastLine } from '../exec.ts'
import type { CheckResult } from './host-driver.ts'
import type { Machine } from './machine.ts'

/** The only place checks come from: the image that runs. */
const CHECKS_DIRECTORY = '/usr/lib/bootfleet/checks'
const CHECK_TIMEOUT_MS = 60_000

/** Run a check of the image, without arguments and with a minimal environment. */
export async function runNamedCheck(
  machine: Machine,
  name: string,
  signal: AbortSignal,
): Promise<CheckResult> {
  const program = join(CHECKS_DIRECTORY, name)
  const found = await lstat(join(machine.root, program)).then(
    () => true,
    () => false,
  )
  // The image is read-only, so it cannot turn up later.
  if (!found) return { kind: 'failed', detail: `the image has no ${program}`, final: true }
  const options = {
    attempt: `running check ${name}`,
    signal,
    timeoutMs: CHECK_TIMEOUT_MS,
    leftovers: 'killed',
  } as const
  const { exitCode, stdout, stderr } =
    machine.sysroot === null
      ? await execute([program], options)
      : await execute(['chroot', machine.sysroot, program], options)
  if (exitCode === 0) return { kind: 'passed' }
  const said = lastLine(stdout) || lastLine(stderr)
  return { kind: 'failed', detail: `exit status ${exitCode}${said === '' ? '' : `: ${said}`}`, final: false }
}
