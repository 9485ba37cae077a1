import { spawn } from 'node:child_process'
import { copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFirmware } from '../../../cli/image/firmware.ts'
import { qemuArguments } from '../../../cli/image/machine.ts'

export type FirmwareKind = 'bios' | 'uefi'

export type GrubRun = {
  /** Until it switched itself off, or `until` was true; then its power is cut. What its console showed. */
  readonly console: string
  readonly ended: 'by itself' | 'power cut'
}

export type GrubRunOptions = {
  readonly dir: string
  readonly disk: string
  readonly firmware: FirmwareKind
  readonly until?: (console: string) => Promise<boolean>
}

const limitMs = 900_000

/** Switches a machine on, and waits; its reboots are boots again. */
export async function runMachine({ dir, disk, firmware: kind, until }: GrubRunOptions): Promise<GrubRun> {
  const firmware = kind === 'bios' ? null : await findFirmware()
  const variables = join(dir, 'variables.fd')
  const consolePath = join(dir, 'console.log')
  if (firmware !== null) await copyFile(firmware.variables, variables)
  await rm(consolePath, { force: true })
  const options = {
    dir,
    disk: { path: disk, format: 'raw' },
    firmware,
    qemu: 'qemu-system-x86_64',
    memoryMiB: 512,
    accelerator: 'tcg',
    onReboot: 'boot-again',
    forwards: [],
  } as const
  const args = qemuArguments(options, { variables, consolePath })
  const child = spawn(options.qemu, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const end = (): boolean => child.kill('SIGKILL')
  process.once('exit', end)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const readConsole = async (): Promise<string> => readFile(consolePath, 'latin1').catch(() => '')
  try {
    const ended = await watch(async () => (await until?.(await readConsole())) ?? false, exited)
    if (ended === 'never')
      throw new Error(`the machine did not end: ${said}\n${(await readConsole()).slice(-4000)}`)
    return { console: await readConsole(), ended }
  } finally {
    end()
    await exited
    process.removeListener('exit', end)
  }
}

async function watch(
  until: () => Promise<boolean>,
  exited: Promise<void>,
): Promise<GrubRun['ended'] | 'never'> {
  const gone = exited.then(() => 'by itself' as const)
  for (const deadlineMs = performance.now() + limitMs; performance.now() < deadlineMs;) {
    const seen = await Promise.race([gone, sleep(100, null)])
    if (seen !== null) return seen
    if (await until()) return 'power cut'
  }
  return 'never'
}
