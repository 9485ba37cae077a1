import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { bundleProgram } from '../../../agent/container-snap/testing/program.ts'
import { openRegistry } from '../../../agent/container-snap/testing/registry.ts'
import type { Host, Version } from './host.ts'
import { openHost } from './host.ts'
import type { Attached, Medium } from './medium.ts'
import { attach, makeDisk, openMedium } from './medium.ts'
import { manifestOf, ownLayer, sharedLayer } from './trees.ts'

export const versionNames = ['1', '2', '3', '4', '5', '6'] as const

/** A machine's disk with version 1 running and blessed, the registry of all versions, and room for copies. */
export type World = {
  medium: Medium
  /** Two file systems of different ids: the kernel takes two mounted copies of one for the same. */
  disks: readonly PowercutDisk[]
  versions: readonly Version[]
  /** HOST:PORT/PATH of all versions. */
  repository: string
  manifests: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Runs container-snap on a mounted disk and returns its stdout. */
  snap: (disk: Attached, ...args: string[]) => Promise<string>
  host: (disk: Attached, options: WorldHost) => Host
  /** A new folder outside of the medium. */
  folder: (name: string) => Promise<string>
  close: () => Promise<void>
}

export type PowercutDisk = { name: string; file: string }

/** `cutting`: every step of its container-snap takes a copy of the disk. */
export type WorldHost = { runDir: string } & (
  { kind: 'plain' } | { kind: 'cutting'; file: string; prefix: string }
)

/** Where the disk's EFI system partition is stood in for: vfat cannot be mounted everywhere, and it must be cut with the rest. */
export const espFolder = 'var/esp'

export async function openWorld(): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), 'bootfleet-powercut-world-'))
  const medium = await openMedium(12_288)
  const registry = await openRegistry()
  const versions: Version[] = []
  for (const name of versionNames) {
    const digest = await registry.push(`os/edge:${name}`, [sharedLayer(), ownLayer(name)])
    versions.push({ name, digest })
  }
  const plain = await bundleProgram(join(base, 'container-snap'), 'plain')
  const cutting = await bundleProgram(join(base, 'container-snap-cutting'), 'failpoints')
  const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
  const snap = async (disk: Attached, ...args: string[]): Promise<string> =>
    (await execa(plain, ['--sysroot', disk.root, ...args], { env })).stdout.trim()
  const { privateKey: directorKey } = generateKeyPairSync('ed25519')
  const repository = `${registry.address}/os/edge`
  const hook = await writeHook(join(base, 'cut'), medium.directory)
  const disks = ['a', 'b'].map((name) => ({ name, file: join(medium.directory, `disk-${name}.img`) }))
  for (const { name, file } of disks) {
    await makeDisk(file, 512)
    const image = `docker://${repository}@${versions[0]?.digest ?? ''}`
    await installFirst({ file, mountPoint: join(base, `install-${name}`), snap, image })
  }
  return {
    medium,
    disks,
    versions,
    repository,
    manifests: new Map(versionNames.map((name) => [name, manifestOf(name)])),
    snap,
    host: (disk, options) =>
      openHost(disk, {
        directorKey,
        command: options.kind === 'plain' ? plain : cutting,
        env: options.kind === 'plain' ? env : { ...env, ...cutEnvironment(hook, options) },
        repository,
        runDir: options.runDir,
      }),
    folder: async (name) => {
      const path = join(base, name)
      await mkdir(path, { recursive: true })
      return path
    },
    close: async () => {
      await medium.close()
      await registry.close()
      await rm(base, { recursive: true, force: true })
    },
  }
}

/** Copies a disk while container-snap waits between two of its writes. */
async function writeHook(path: string, directory: string): Promise<string> {
  const target = `${directory}/"$CUT_PREFIX"step-$(date +%s%N)-"$1".img`
  await writeFile(path, `#!/bin/sh\nexec cp --reflink=always "$CUT_FILE" ${target}\n`, { mode: 0o755 })
  return path
}

function cutEnvironment(hook: string, { file, prefix }: Extract<WorldHost, { kind: 'cutting' }>) {
  return { FAILPOINT_HOOK: hook, CUT_FILE: file, CUT_PREFIX: prefix }
}

type Installation = { file: string; mountPoint: string; snap: World['snap']; image: string }

async function installFirst({ file, mountPoint, snap, image }: Installation): Promise<void> {
  const disk = await attach(file, mountPoint)
  await execa('mount', [disk.device, mountPoint])
  await execa('btrfs', ['subvolume', 'create', join(mountPoint, '@var')])
  await mkdir(join(mountPoint, 'var'))
  await execa('mount', ['-o', 'subvol=@var', disk.device, join(mountPoint, 'var')])
  await mkdir(join(mountPoint, espFolder, 'loader/entries'), { recursive: true })
  await snap(disk, 'init')
  const machine = {
    version: 1,
    loader: { kind: 'systemd-boot', esp: `/${espFolder}`, tries: 3 },
    kernelArguments: [],
  }
  await writeFile(join(mountPoint, 'var/lib/container-snap/machine.json'), JSON.stringify(machine))
  const { imageId } = JSON.parse(await snap(disk, '--json', 'pull', image)) as { imageId: string }
  const id = await snap(disk, 'create-snapshot', imageId)
  await snap(disk, 'activate', id)
  await disk.mount(null)
  await snap(disk, 'bless')
  await disk.detach()
}
