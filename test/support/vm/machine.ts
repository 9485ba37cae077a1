import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFirmware } from '../../../cli/image/firmware.ts'
import { qemuArguments } from '../../../cli/image/machine.ts'
import { openShell } from './shell.ts'
import type { Shell } from './shell.ts'

export type Machine = {
  readonly name: string
  /** Switch it on; a machine that runs stays as it is. */
  start(): Promise<void>
  /** The power is cut: what the guest had not written to its disk is lost. */
  cutPower(): Promise<void>
  /** What its console showed since it was made, reboots and power cuts included. */
  console(): Promise<string>
  /** How often a kernel has started. */
  boots(): Promise<number>
  /** A root shell that is there early in the boot and needs neither network nor agent. */
  readonly shell: Shell
}

/** For the installer: the console where we look for it, and a shell on the second serial port. */
export const consoleArguments = ['console=ttyS0,115200', 'systemd.debug_shell=ttyS1'] as const

/** What makes a boot in software quicker, and a panic or a root that is not found a reboot. */
export const machineArguments = [
  ...consoleArguments,
  'panic=3',
  'mitigations=off',
  'audit=0',
  'systemd.show_status=false',
  'loglevel=4',
] as const

export type MachineOptions = {
  readonly dir: string
  readonly name: string
  readonly disk: string
  /** Files that the guest finds, as tmpfiles.d(5) lines; systemd reads them from the firmware's tables. */
  readonly tmpfiles: string
  readonly firmware: 'bios' | 'uefi'
  readonly loader: 'systemd-boot' | 'grub'
}

/** What the console shows once of each boot. */
const bootMarks = { 'systemd-boot': /EFI stub: Loaded initrd/g, grub: /Booting `/g } as const

export async function createMachine(options: MachineOptions): Promise<Machine> {
  const { dir, name, disk } = options
  const firmware = options.firmware === 'bios' ? null : await findFirmware()
  const variables = join(dir, `${name}-variables.fd`)
  if (firmware !== null) await copyFile(firmware.variables, variables)
  const consoles: string[] = []
  const socket = join(dir, `${name}.shell`)
  const shell = openShell(socket)
  let running: ChildProcess | null = null
  const readConsole = async (): Promise<string> =>
    (await Promise.all(consoles.map((path) => readFile(path, 'utf8').catch(() => '')))).join('')
  return {
    name,
    start: async () => {
      if (isRunning(running)) return
      const consolePath = join(dir, `${name}-console-${consoles.length}.log`)
      consoles.push(consolePath)
      await rm(socket, { force: true })
      const machine = {
        dir,
        disk: { path: disk, format: 'raw' },
        firmware,
        qemu: 'qemu-system-x86_64',
        memoryMiB: 1024,
        accelerator: 'tcg',
        onReboot: 'boot-again',
        forwards: [],
      } as const
      const credential = Buffer.from(options.tmpfiles).toString('base64')
      const more = [
        '-chardev',
        `socket,id=shell,path=${socket},server=on,wait=off`,
        '-serial',
        'chardev:shell',
        '-smbios',
        `type=11,value=io.systemd.credential.binary:tmpfiles.extra=${credential}`,
      ]
      running = await startQemu([...qemuArguments(machine, { variables, consolePath }), ...more])
    },
    cutPower: async () => {
      const child = running
      running = null
      if (child === null || !isRunning(child)) return
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.kill('SIGKILL')
      await ended
    },
    console: readConsole,
    boots: async () => [...(await readConsole()).matchAll(bootMarks[options.loader])].length,
    shell,
  }
}

function isRunning(child: ChildProcess | null): child is ChildProcess {
  return child !== null && child.exitCode === null && child.signalCode === null
}

async function startQemu(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  // It ends with this process, whatever ends that.
  const end = (): boolean => child.kill('SIGKILL')
  process.once('exit', end)
  let ended = false
  child.once('exit', () => {
    ended = true
    process.removeListener('exit', end)
  })
  await sleep(500)
  if (ended) throw new Error(`qemu-system-x86_64 ended at once: ${said}`)
  return child
}
