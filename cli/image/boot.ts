import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../dev/ports.ts'
import { run } from '../dev/process.ts'
import { CliError } from '../errors.ts'
import { publicKeyOf } from '../ssh-key.ts'
import type { Terminal } from '../terminal.ts'
import { failedUnits, judgeConsole, lastLines } from './console.ts'
import type { Firmware } from './firmware.ts'
import { startMachine } from './machine.ts'
import type { Machine } from './machine.ts'

export type BootTrial = {
  readonly dir: string
  readonly disk: string
  readonly firmware: Firmware
  readonly qemu: string
  readonly memoryMiB: number
  readonly accelerator: 'tcg' | 'kvm'
  readonly timeoutMs: number
  /** Null: the serial console alone tells. */
  readonly sshKey: string | null
  readonly showConsole: boolean
}

export type BootOutcome =
  | {
      readonly kind: 'up'
      readonly how: string
      readonly tookMs: number
      readonly failedUnits: readonly string[]
    }
  | { readonly kind: 'down'; readonly why: string; readonly console: string }

const pollMs = 500
const guestSshPort = 22
const consoleLines = 30

/** Boots a disk once and looks whether a system comes up; the machine is gone when it returns. */
export async function tryBoot(trial: BootTrial, terminal: Terminal): Promise<BootOutcome> {
  const sshPort = trial.sshKey === null ? null : await freePort()
  const startedMs = performance.now()
  const machine = await startMachine({
    ...trial,
    disk: { path: trial.disk, format: 'raw' },
    onReboot: 'end',
    forwards: sshPort === null ? [] : [{ hostPort: sshPort, guestPort: guestSshPort }],
  })
  const ending = new AbortController()
  const show = trial.showConsole ? showConsole(machine, terminal, ending.signal) : Promise.resolve()
  try {
    const deadlineMs = startedMs + trial.timeoutMs
    const ssh = sshPort === null ? null : { port: sshPort, key: trial.sshKey ?? '' }
    const verdict = await judgeBoot(machine, { ssh, deadlineMs, signal: terminal.signal })
    const console = await machine.console()
    if (verdict.kind === 'down') return { ...verdict, console: lastLines(console, consoleLines) }
    return { ...verdict, tookMs: performance.now() - startedMs, failedUnits: failedUnits(console) }
  } finally {
    await machine.stop()
    ending.abort()
    await show
  }
}

type Verdict = { readonly kind: 'up'; readonly how: string } | { readonly kind: 'down'; readonly why: string }
type Ssh = { readonly port: number; readonly key: string }
type Watch = { readonly ssh: Ssh | null; readonly deadlineMs: number; readonly signal: AbortSignal }

async function judgeBoot(machine: Machine, { ssh, deadlineMs, signal }: Watch): Promise<Verdict> {
  let ended: string | null = null
  void machine.ended.then((how) => {
    ended = how
  })
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted()
    const seen = judgeConsole(await machine.console())
    if (seen.kind === 'down') return { kind: 'down', why: `the console says "${seen.marker}"` }
    if (ended !== null)
      return { kind: 'down', why: `the machine ${String(ended)}: it powered off or rebooted` }
    if (ssh === null && seen.kind === 'up') return { kind: 'up', how: `the console says "${seen.marker}"` }
    const state = ssh === null ? null : await systemState(ssh, deadlineMs - performance.now(), signal)
    if (state !== null) return judgeState(state)
    await sleep(pollMs)
  }
  return { kind: 'down', why: ssh === null ? 'not up in time' : 'ssh did not answer in time' }
}

function judgeState(state: string): Verdict {
  if (state === 'running' || state === 'degraded') return { kind: 'up', how: `systemd says ${state}` }
  return { kind: 'down', why: `systemd says ${state === '' ? 'nothing' : state}` }
}

/** systemd's state when it is done with starting; null while ssh does not answer. */
async function systemState(ssh: Ssh, leftMs: number, signal: AbortSignal): Promise<string | null> {
  // It ends with 1 for all but `running`; ssh with 255 where nobody answers.
  const asked = run('ssh', sshArguments(ssh, ['systemctl is-system-running --wait || true']), {
    signal,
    timeoutMs: Math.max(1_000, leftMs),
  })
  return asked.then(
    (text) => text.trim(),
    (error: unknown) => {
      signal.throwIfAborted()
      if (error instanceof CliError) return null
      throw error
    },
  )
}

function sshArguments({ port, key }: Ssh, command: readonly string[]): string[] {
  // The machine is new, and its host keys are too.
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'ConnectTimeout=20',
    'LogLevel=ERROR',
  ]
  const flags = options.flatMap((option) => ['-o', option])
  return [...flags, '-i', key, '-p', String(port), 'root@127.0.0.1', ...command]
}

async function showConsole(machine: Machine, terminal: Terminal, ending: AbortSignal): Promise<void> {
  let shown = 0
  for (let last = false; !last;) {
    last = ending.aborted
    const text = await machine.console()
    if (text.length > shown) terminal.note(text.slice(shown))
    shown = text.length
    if (!last) await sleep(pollMs)
  }
}

/** The public half, beside the key or made from it, in a file for the installer. */
export async function publicKeyFile(key: string, dir: string, signal: AbortSignal): Promise<string> {
  const path = join(dir, 'authorized-keys')
  await writeFile(path, `${await publicKeyOf(key, signal)}\n`)
  return path
}
