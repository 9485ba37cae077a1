import { mkdir, realpath, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.ts'
import type { Command } from '../exec.ts'
import { run } from '../exec.ts'
import { readMounts } from '../store/mounts.ts'
import type { Geometry, Partition } from './geometry.ts'
import type { Tools } from './tools.ts'

/** What stays when the root changes: subvolume and where it is mounted. */
export const persistent = [
  { subvolume: '@var', path: '/var' },
  { subvolume: '@home', path: '/home' },
  { subvolume: '@root', path: '/root' },
  { subvolume: '@srv', path: '/srv' },
  { subvolume: '@opt', path: '/opt' },
  { subvolume: '@usr-local', path: '/usr/local' },
] as const

export type PersistentFolder = (typeof persistent)[number]

export type RootDisk = { disk: string; geometry: Geometry; mountPoint: string }

/**
 * Makes the root file system, and runs the work with its top level mounted and `@var` at var, as `--sysroot`
 * wants it. Unmounted and detached when it returns, however it ends.
 */
export async function withRootFileSystem<T>(
  context: Context,
  tools: Tools,
  { disk, geometry, mountPoint }: RootDisk,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const device = await attach(context, tools, disk, geometry.root)
    await call(context, `make a btrfs on ${device}`, [
      tools['mkfs.btrfs'],
      '--quiet',
      '--force',
      '--label=bootfleet',
      `--uuid=${geometry.fileSystemUuid}`,
      device,
    ])
    return await withMount(context, tools, { device, at: mountPoint, option: 'subvolid=5' }, async () => {
      for (const { subvolume } of persistent) {
        const path = join(mountPoint, subvolume)
        await call(context, `create the subvolume ${subvolume}`, [tools.btrfs, 'subvolume', 'create', path])
      }
      const at = join(mountPoint, 'var')
      await mkdir(at)
      const result = await withMount(context, tools, { device, at, option: 'subvol=@var' }, work)
      await rmdir(at)
      return result
    })
  } finally {
    await detach(uncut(context), tools, disk, geometry.root)
  }
}

type Mounting = { device: string; at: string; option: string }

async function withMount<T>(
  context: Context,
  tools: Tools,
  { device, at, option }: Mounting,
  work: () => Promise<T>,
): Promise<T> {
  const attempt = `mount ${device} at ${at}`
  try {
    await call(context, attempt, [tools.mount, '-t', 'btrfs', '-o', option, device, at])
    return await work()
  } finally {
    if (await isMounted(at)) await unmount(uncut(context), tools, at)
  }
}

const unmountTries = 20

/** A skopeo that was just killed may hold its copy of the mount for a moment. */
async function unmount(context: Context, tools: Tools, at: string): Promise<void> {
  for (let left = unmountTries; ; left -= 1) {
    try {
      await call(context, `unmount ${at}`, [tools.umount, at])
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(100)
    }
  }
}

/** By offset: a file's partitions, and those of a loop device, have no device nodes everywhere. */
async function attach(
  context: Context,
  tools: Tools,
  disk: string,
  { startBytes, sizeBytes }: Partition,
): Promise<string> {
  const text = await call(context, `attach ${disk} to a loop device`, [
    tools.losetup,
    '--find',
    '--show',
    `--offset=${startBytes}`,
    `--sizelimit=${sizeBytes}`,
    disk,
  ])
  return text.trim()
}

/** Found by the disk, not by the device's name: a losetup that Ctrl-C killed may have done its work and not said so. */
async function detach(
  context: Context,
  tools: Tools,
  disk: string,
  { startBytes }: Partition,
): Promise<void> {
  const range = [`--associated=${disk}`, `--offset=${startBytes}`]
  const listed = await call(context, `list the loop devices of ${disk}`, [tools.losetup, ...range])
  for (const [, device = ''] of listed.matchAll(/^(\/dev\/\S+?):/gm))
    await call(context, `detach ${device}`, [tools.losetup, '--detach', device])
}

async function isMounted(path: string): Promise<boolean> {
  const at = await realpath(path)
  return (await readMounts()).some((mount) => mount.mountPoint === at)
}

/** Cleaning up must go on after the signal that called for it. */
function uncut(context: Context): Context {
  return { ...context, signal: new AbortController().signal }
}

async function call(context: Context, attempt: string, command: Command): Promise<string> {
  return run(command, { signal: context.signal, attempt })
}
