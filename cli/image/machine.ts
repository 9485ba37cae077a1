import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endProcess, start } from '../dev/process.ts'
import type { Child } from '../dev/process.ts'
import type { Firmware } from './firmware.ts'

export type MachineOptions = {
  /** Folder for its firmware variables and its logs; one machine at a time. */
  readonly dir: string
  readonly disk: { readonly path: string; readonly format: 'raw' | 'qcow2' }
  /** Null: the machine's BIOS. */
  readonly firmware: Firmware | null
  readonly qemu: string
  readonly memoryMiB: number
  /** `tcg` works everywhere, a virtual machine without nesting included; `kvm` is many times as fast. */
  readonly accelerator: 'tcg' | 'kvm'
  /** `end`: a reboot ends the machine. */
  readonly onReboot: 'boot-again' | 'end'
  /** Port of this machine's loopback to port of the guest. */
  readonly forwards: readonly { readonly hostPort: number; readonly guestPort: number }[]
}

export type Machine = {
  /** How it ended, in words; never rejects. */
  readonly ended: Child['ended']
  readonly pid: number
  readonly consolePath: string
  /** All that came over the serial console so far. */
  readonly console: () => Promise<string>
  /** The power is cut; the disk is left as the guest had written it. */
  readonly stop: () => Promise<void>
}

const graceMs = 5_000

/** A machine with the disk, a serial console into a file and a network that reaches this machine at 10.0.2.2. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const variables = join(options.dir, 'firmware-variables.fd')
  const consolePath = join(options.dir, 'console.log')
  if (options.firmware !== null) await copyFile(options.firmware.variables, variables)
  const child = await start(options.qemu, qemuArguments(options, { variables, consolePath }), {
    env: {},
    logPath: join(options.dir, 'qemu.log'),
  })
  return {
    ended: child.ended,
    pid: child.mark.pid,
    consolePath,
    console: async () => readFile(consolePath, 'utf8').catch(() => ''),
    stop: async () => endProcess(child.mark, graceMs),
  }
}

type Files = { readonly variables: string; readonly consolePath: string }

export function qemuArguments(options: MachineOptions, files: Files): string[] {
  const { disk, firmware, memoryMiB, accelerator, forwards } = options
  const network = forwards.map(
    ({ hostPort, guestPort }) => `,hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`,
  )
  const pairs: readonly (readonly string[])[] = [
    ['-nodefaults'],
    ['-machine', 'q35'],
    // QEMU 7.2 damages the flags after cmpxchg16b, and a guest's kernel then oopses at random.
    ['-cpu', accelerator === 'kvm' ? 'host' : 'max,-cx16'],
    ['-accel', accelerator],
    // In software a second CPU costs more than it gives, and now and then OVMF waits for it for ever after a reboot.
    ['-smp', accelerator === 'kvm' ? '2' : '1'],
    ['-m', String(memoryMiB)],
    ...(firmware === null ? [] : flash(firmware, files)),
    // Discards reach the file, so that it stays sparse. The guest's flushes need not outlive a crash of this machine.
    ['-drive', `if=virtio,format=${disk.format},cache=unsafe,discard=unmap,file=${quoted(disk.path)}`],
    ['-netdev', `user,id=network${network.join('')}`],
    // Without its rom there is no boot over the network, which would go on for minutes.
    ['-device', 'virtio-net-pci,netdev=network,romfile='],
    ['-device', 'virtio-rng-pci'],
    ['-display', 'none'],
    ['-serial', `file:${quoted(files.consolePath)}`],
    options.onReboot === 'end' ? ['-no-reboot'] : [],
  ]
  return pairs.flat()
}

function flash({ code }: Firmware, { variables }: Files): readonly (readonly string[])[] {
  return [
    ['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${quoted(code)}`],
    ['-drive', `if=pflash,format=raw,unit=1,file=${quoted(variables)}`],
  ]
}

/** QEMU's way to write a comma in a value. */
function quoted(path: string): string {
  return path.replaceAll(',', ',,')
}
