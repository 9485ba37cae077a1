import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { CliError } from '../errors.ts'
import type { PushedImage } from './image.ts'
import type { HostLayout } from './layout.ts'
import { run } from './process.ts'
import { readState, writeWhole } from './state-file.ts'

/** Sparse: it costs what is written to it. */
const diskBytes = 1024 * 1024 * 1024

const Seeded = z.strictObject({ deployment: z.string().min(1) })
const Pulled = z.object({ imageId: z.string().min(1) })

export type HostDisk = { readonly device: string }

export type Seed = {
  readonly image: PushedImage
  /** Runs container-snap against the host's sysroot and returns its stdout. */
  readonly containerSnap: (sysroot: string, args: readonly string[]) => Promise<string>
  readonly signal: AbortSignal
}

/**
 * The disk of one host, mounted as a booted host has it: default subvolume as root, `@var` at var. A new disk
 * gets a first deployment, so that there is always one that runs and one to fall back to.
 */
export async function openHostDisk(host: HostLayout, seed: Seed): Promise<HostDisk> {
  await mkdir(host.sysroot, { recursive: true })
  if ((await readState(host.seeded, Seeded)) === null) await seedDisk(host, seed)
  const device = await attach(host.disk, seed.signal)
  await mountBooted(host, device, seed.signal)
  return { device }
}

/** Unmounts everything below the host and gives its loop device back. */
export async function closeHostDisk(host: HostLayout): Promise<void> {
  await unmountBelow(host.dir)
  const attached = await run('losetup', ['--noheadings', '--output', 'NAME', '--associated', host.disk])
  for (const device of attached.split('\n').filter((line) => line !== ''))
    await run('losetup', ['--detach', device.trim()])
}

async function seedDisk(host: HostLayout, { image, containerSnap, signal }: Seed): Promise<void> {
  await closeHostDisk(host)
  await rm(host.disk, { force: true })
  const file = await open(host.disk, 'w')
  await file.truncate(diskBytes)
  await file.close()
  await run('mkfs.btrfs', ['--quiet', host.disk], { signal })
  const device = await attach(host.disk, signal)
  await mount(device, host.sysroot, 'subvolid=5', signal)
  await run('btrfs', ['subvolume', 'create', join(host.sysroot, '@var')], { signal })
  await mkdir(join(host.sysroot, 'var'))
  await mount(device, join(host.sysroot, 'var'), 'subvol=@var', signal)
  const snap = (...args: string[]): Promise<string> => containerSnap(host.sysroot, args)
  await snap('init')
  const { imageId } = parsePulled(await snap('--json', 'pull', `${image.repository}@${image.digest}`))
  const deployment = (await snap('create-snapshot', imageId)).trim()
  await snap('switch', deployment)
  await unmountBelow(host.dir)
  // Last: a disk without this mark is made anew.
  await writeWhole(host.seeded, `${JSON.stringify({ deployment })}\n`)
}

function parsePulled(stdout: string): z.infer<typeof Pulled> {
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const parsed = Pulled.safeParse(JSON.parse(last === '' ? '{}' : last))
  if (parsed.success) return parsed.data
  throw new CliError('ToolFailed', `container-snap pull: no image id in "${last}"`)
}

async function mountBooted(host: HostLayout, device: string, signal: AbortSignal): Promise<void> {
  const mounted = await mountPointsBelow(host.dir)
  const isBooted = mounted.includes(host.sysroot) && mounted.includes(join(host.sysroot, 'var'))
  if (isBooted) return
  await unmountBelow(host.dir)
  await mount(device, host.sysroot, null, signal)
  await mount(device, join(host.sysroot, 'var'), 'subvol=@var', signal)
}

/** The loop device of a file: the one it has, else a new one. */
async function attach(file: string, signal: AbortSignal): Promise<string> {
  const existing = await run('losetup', ['--noheadings', '--output', 'NAME', '--associated', file], {
    signal,
  })
  const first = existing.split('\n')[0]?.trim() ?? ''
  return first === '' ? run('losetup', ['--find', '--show', file], { signal }) : first
}

async function mount(
  device: string,
  target: string,
  option: string | null,
  signal: AbortSignal,
): Promise<void> {
  const options = option === null ? [] : ['-o', option]
  await run('mount', ['-t', 'btrfs', ...options, device, target], { signal })
}

async function unmountBelow(dir: string): Promise<void> {
  // Newest first; container tools leave mounts of their own on the store.
  for (const mountPoint of (await mountPointsBelow(dir)).toReversed()) {
    await run('umount', [mountPoint]).catch(() => run('umount', ['--lazy', mountPoint]))
  }
}

async function mountPointsBelow(dir: string): Promise<string[]> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8')
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))),
    )
    .filter((path) => path.startsWith(`${dir}/`))
}
