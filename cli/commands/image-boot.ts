import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onPath } from '../dev/tools.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { publicKeyFile, tryBoot } from '../image/boot.ts'
import type { BootOutcome } from '../image/boot.ts'
import { findFirmware } from '../image/firmware.ts'
import { runContainerSnap } from '../image/container-snap.ts'
import type { Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { installArguments } from './image-install-disk.ts'

export type ImageBootOptions = {
  readonly sshKey?: string
  readonly memory: number
  readonly size: string
  readonly timeout: number
  readonly accel: 'tcg' | 'kvm'
  readonly showConsole?: true
  readonly keep?: true
}

/** What is looked for on the console must get there. */
const consoleArguments = ['console=ttyS0,115200', 'systemd.show_status=true']

export async function runImageBoot(
  { terminal }: Session,
  ref: string,
  options: ImageBootOptions,
): Promise<ExitStatus> {
  const firmware = await findFirmware()
  const qemu = await findQemu(terminal)
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-boot-'))
  try {
    const disk = join(dir, 'disk.raw')
    const keys =
      options.sshKey === undefined ? null : await publicKeyFile(options.sshKey, dir, terminal.signal)
    const installOptions = {
      size: options.size,
      karg: consoleArguments,
      ...(keys === null ? {} : { rootSshAuthorizedKeys: keys }),
    }
    terminal.note(`» installing ${ref} to a temporary disk\n`)
    const installed = await runContainerSnap(installArguments(ref, disk, installOptions), {
      stdout: 'ignore',
      signal: terminal.signal,
    })
    if (installed !== 0) return exitStatus.error
    terminal.note(`» booting it, ${options.accel === 'tcg' ? 'in software' : 'with KVM'}\n`)
    const trial = { dir, disk, firmware, qemu, memoryMiB: options.memory, timeoutMs: options.timeout }
    const outcome = await tryBoot(
      {
        ...trial,
        accelerator: options.accel,
        sshKey: options.sshKey ?? null,
        showConsole: options.showConsole === true,
      },
      terminal,
    )
    return tell(terminal, ref, outcome)
  } finally {
    if (options.keep === true) terminal.note(`» kept in ${dir}: disk.raw, console.log, qemu.log\n`)
    else await rm(dir, { recursive: true, force: true })
  }
}

function tell(terminal: Terminal, ref: string, outcome: BootOutcome): ExitStatus {
  if (outcome.kind === 'down') {
    terminal.note(`${outcome.console}\n`)
    terminal.out(`${ref} did not come up: ${outcome.why}\n`)
    return exitStatus.error
  }
  for (const unit of outcome.failedUnits) terminal.note(`warning: failed to start ${unit}\n`)
  terminal.out(`${ref} is up after ${Math.round(outcome.tookMs / 1000)} s: ${outcome.how}\n`)
  return exitStatus.done
}

async function findQemu(terminal: Terminal): Promise<string> {
  if (process.arch !== 'x64')
    throw new CliError(
      'ToolMissing',
      `image boot knows machines of x86-64 only, and this one is ${process.arch}`,
    )
  const found = await onPath(terminal.environment, 'qemu-system-x86_64')
  if (found !== null) return found
  throw new CliError(
    'ToolMissing',
    'image boot needs qemu-system-x86_64; on Debian: apt-get install qemu-system-x86',
  )
}
