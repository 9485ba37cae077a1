import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeEnd } from './collect.ts'
import type { Cut } from './collect.ts'
import { chooseEntry } from './firmware.ts'
import type { Attached } from './medium.ts'
import { attach } from './medium.ts'
import { sha256, versionOf } from './trees.ts'
import type { World } from './world.ts'
import { espFolder } from './world.ts'

/** Plans after the power cut are newer than any before it. */
const laterCounter = 10_000

/**
 * Starts a machine from what the power cut left.
 * @returns What is wrong with it; null when it started whole and got to the image of its plan.
 */
export async function survive(world: World, cut: Cut, worker: string): Promise<string | null> {
  const runDir = await world.folder(`${worker}-run`)
  await rm(runDir, { recursive: true })
  await mkdir(runDir)
  const disk = await attach(cut.file, await world.folder(worker))
  try {
    await disk.mount(null)
    const byDefault = await versionOf(disk.root, world.manifests)
    const byLoader = await boot(world, disk)
    const allowed = allowedVersions(world, cut)
    for (const version of [byDefault, byLoader]) {
      if (!allowed.includes(version)) return `version ${version} came up, neither of ${allowed.join(' and ')}`
    }
    return await converge(world, cut, disk, runDir)
  } finally {
    await disk.detach()
    await rm(cut.file)
  }
}

function allowedVersions(world: World, { counter, target }: Cut): string[] {
  const before = world.versions[(counter - 1) % world.versions.length]
  return [before?.name ?? '', target.name]
}

/** Chooses as the loader does, mounts that, and compares it with its version, kernel and initrd included. */
export async function boot(world: World, disk: Attached): Promise<string> {
  const esp = join(disk.root, espFolder)
  const { subvolume, linux, initrd, file } = await chooseEntry(esp)
  await disk.mount(subvolume)
  const version = await versionOf(disk.root, world.manifests)
  const wanted = world.manifests.get(version)
  for (const [path, name] of [
    [linux, 'vmlinuz'],
    [initrd, 'initrd'],
  ] as const) {
    const found = sha256(await readFile(join(esp, path)))
    if (found !== wanted?.get(`usr/lib/modules/6.12-${version}/${name}`)) {
      throw new Error(`entry ${file} of version ${version}: ${path} is not its ${name}`)
    }
  }
  return version
}

type Listed = { id: string; digest: string; staged: boolean }
type Status = { current: Listed | null; default: Listed | null; deployments: readonly Listed[] }

async function converge(world: World, cut: Cut, disk: Attached, runDir: string): Promise<string | null> {
  const host = world.host(disk, { runDir, kind: 'plain' })
  const { at } = await host.carryTo(cut.target, laterCounter)
  if (at.phase !== 'Healthy') return `the agent ended in ${describeEnd(at)}`
  if ((await versionOf(disk.root, world.manifests)) !== cut.target.name)
    return 'another version runs at the end'
  const status = JSON.parse(await world.snap(disk, 'status', '--json')) as Status
  if (status.current?.digest !== cut.target.digest) return `current is ${JSON.stringify(status.current)}`
  if (status.default?.id !== status.current.id) return `the default is ${JSON.stringify(status.default)}`
  const half = status.deployments.filter(({ staged }) => !staged)
  if (half.length > 0) return `half-made deployments are left: ${JSON.stringify(half)}`
  return (await boot(world, disk)) === cut.target.name ? null : 'the loader would start another version'
}
