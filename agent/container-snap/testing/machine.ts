import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Status } from '../commands/status-view.ts'
import type { Ledger } from '../ledger.ts'
import type { MachineConfig } from '../machine.ts'
import { chooseSubvolume } from './firmware.ts'
import { openGrubMachine, writeGrubConfig } from './grub-machine.ts'
import type { Outcome, Program } from './program.ts'
import { openProgram } from './program.ts'
import type { Files, Registry } from './registry.ts'
import { openRegistry, systemTree } from './registry.ts'
import type { Pulled } from './stage.ts'
import { filesClosed, readLedger } from './stage.ts'
import type { Sysroot } from './sysroot.ts'
import { openSysroot } from './sysroot.ts'

export type Version = '1' | '2' | '3'

/** What several machines share: images of three versions, and the program with its failpoints. */
export type Depot = {
  registry: Registry
  digests: Readonly<Record<Version, string>>
  program: Program
  close: () => Promise<void>
}

/** A system that systemd-boot can be given: kernel and initrd differ from version to version. */
function bootableTree(version: string): Files {
  const modules = 'usr/lib/modules/6.1.0'
  return {
    ...systemTree(version),
    [`${modules}/vmlinuz`]: `kernel ${version}`,
    [`${modules}/initrd`]: `initrd ${version}`,
    'etc/vendor.conf': `vendor=${version}\n`,
    'etc/local.conf': 'as shipped\n',
    'efi/': '',
    'boot/': '',
  }
}

export async function openDepot(): Promise<Depot> {
  const registry = await openRegistry()
  const push = async (version: Version): Promise<string> =>
    registry.push(`os:${version}`, [bootableTree(version)])
  const digests = { 1: await push('1'), 2: await push('2'), 3: await push('3') }
  const program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf }, 'failpoints')
  const close = async (): Promise<void> => {
    await program.close()
    await registry.close()
  }
  return { registry, digests, program, close }
}

/** A machine whose images are all here and whose first deployment, of version 1, runs and has proven itself. */
export type Machine = {
  sysroot: Sysroot
  imageIds: Readonly<Record<Version, string>>
  first: string
  snap: (...args: string[]) => Promise<Outcome>
  /** Trimmed stdout of a call that must succeed. */
  value: (...args: string[]) => Promise<string>
  json: <T>(...args: string[]) => Promise<T>
  /** Runs a command that ends at a failpoint as if the power went. */
  cutAt: (failpoint: string, ...args: string[]) => Promise<void>
  /** Into what the machine's loader chooses, or its btrfs default where it has none. */
  boot: () => Promise<void>
  /** Of the last boot, where GRUB wrote it. */
  kernelLine: () => string
  /** Uses up the tries of what is chosen, as a system does that never comes up; ends in what is chosen then. */
  bootInVain: () => Promise<void>
  status: () => Promise<Status>
  ledger: () => Promise<Ledger>
  close: () => Promise<void>
}

const machineTries = 3

export type LoaderKind = MachineConfig['loader']['kind'] & ('none' | 'systemd-boot' | 'grub')

function loaderConfig(kind: LoaderKind): MachineConfig['loader'] {
  const tries = machineTries
  switch (kind) {
    case 'none':
      return { kind }
    case 'systemd-boot':
      return { kind, esp: '/efi', tries }
    case 'grub':
      return { kind, boot: '/boot', config: '/boot/grub', tries, unguarded: false }
  }
}

export async function openMachine(depot: Depot, kind: LoaderKind): Promise<Machine> {
  const grub = kind === 'grub' ? await openGrubMachine() : null
  const own = kind === 'systemd-boot' ? ['var', 'efi'] : ['var']
  const sysroot = await openSysroot(320, own, grub === null ? {} : { boot: grub.device })
  const at = ['--sysroot', sysroot.directory]
  const value = (...args: string[]): Promise<string> => depot.program.value(...at, ...args)
  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await value(...args, '--json')) as T
  const pull = async (version: Version): Promise<string> => {
    const reference = `${depot.registry.address}/os@${depot.digests[version]}`
    return (await json<Pulled>('pull', reference)).imageId
  }
  const imageIds = { 1: await pull('1'), 2: await pull('2'), 3: await pull('3') }
  if (kind === 'systemd-boot') await mkdir(join(sysroot.directory, 'efi/loader/entries'), { recursive: true })
  if (kind === 'grub') await writeGrubConfig(join(sysroot.directory, 'boot/grub'))
  await mkdir(join(sysroot.directory, 'etc'))
  const config: MachineConfig = { version: 1, loader: loaderConfig(kind), kernelArguments: [] }
  await writeFile(join(sysroot.store, 'machine.json'), JSON.stringify(config))
  const choose = async (): Promise<string> =>
    grub === null
      ? chooseSubvolume(join(sysroot.directory, 'efi'))
      : grub.chooseSubvolume(join(sysroot.directory, 'boot'))
  const boot = async (): Promise<void> => {
    if (kind === 'none') return sysroot.reboot()
    const name = await choose()
    return sysroot.rebootTo(join(sysroot.store, 'snapshots/btrfs/subvolumes', name))
  }
  const first = await value('deploy', '--etc-base', join(sysroot.directory, 'etc'), imageIds[1])
  await value('activate', first)
  await boot()
  await value('bless')
  return {
    sysroot,
    imageIds,
    first,
    snap: (...args) => depot.program.run(...at, ...args),
    value,
    json,
    cutAt: async (failpoint, ...args) => {
      const cut = await depot.program.under({ FAILPOINT_KILL: failpoint }).run(...at, ...args)
      if (cut.status !== undefined) {
        throw new Error(`${args.join(' ')} did not come to ${failpoint}: ${cut.status}: ${cut.stderr}`)
      }
      await filesClosed(sysroot.directory)
    },
    boot,
    kernelLine: () => grub?.kernelLine() ?? '',
    bootInVain: async () => {
      for (let left = machineTries; left > 0; left -= 1) {
        await choose()
      }
      await boot()
    },
    status: async () => json<Status>('status'),
    ledger: async () => readLedger(sysroot.store),
    close: async () => {
      await sysroot.close()
      await grub?.close()
    },
  }
}
