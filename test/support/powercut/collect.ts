import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Position } from '../../../agent/update/types.ts'
import type { Version } from './host.ts'
import { attach } from './medium.ts'
import { versionOf } from './trees.ts'
import type { PowercutDisk, World } from './world.ts'

/** One moment at which the power went, and what the host was on its way to. */
export type Cut = {
  file: string
  name: string
  /** Name of the step of container-snap; null for a moment by chance. */
  step: string | null
  target: Version
  counter: number
}

/** Updates that are cut at each of container-snap's steps; the others are cut at random moments only. */
const steppedUpdates = 3
const pauseMaxMs = 90

/** One update after the other, until there are enough copies. The disk itself is never cut. */
export async function collectCuts(
  world: World,
  { name, file }: PowercutDisk,
  cutsMin: number,
): Promise<readonly Cut[]> {
  const disk = await attach(file, await world.folder(`${name}-running`))
  await disk.mount(null)
  const runDir = await world.folder(`${name}-run`)
  const cuts: Cut[] = []
  for (let counter = 1; cuts.length < cutsMin; counter += 1) {
    const target = world.versions[counter % world.versions.length]
    if (target === undefined) throw new Error('there is no such version')
    const prefix = `cut-${name}-${String(counter).padStart(3, '0')}-`
    const kind = counter <= steppedUpdates ? 'cutting' : 'plain'
    const done = new AbortController()
    const random = cutAtRandom(world, file, prefix, done.signal)
    const { at } = await world.host(disk, { runDir, kind, file, prefix }).carryTo(target, counter)
    done.abort()
    await random
    if (at.phase !== 'Healthy') throw new Error(`update ${counter} ended in ${describeEnd(at)}`)
    if ((await versionOf(disk.root, world.manifests)) !== target.name) throw new Error('another version runs')
    cuts.push(...(await cutsOf(world, prefix, { target, counter })))
  }
  await disk.detach()
  return cuts
}

async function cutAtRandom(world: World, file: string, prefix: string, signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index += 1) {
    await world.medium.cut(file, `${prefix}random-${index}.img`)
    await delay(Math.random() * pauseMaxMs, undefined, { signal }).catch(() => {})
  }
}

async function cutsOf(world: World, prefix: string, update: Pick<Cut, 'target' | 'counter'>): Promise<Cut[]> {
  const { directory } = world.medium
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix))
  return names.map((name) => ({
    ...update,
    file: join(directory, name),
    name,
    step: /-step-\d+-(.*)\.img$/.exec(name)?.[1] ?? null,
  }))
}

export function describeEnd(at: Position): string {
  return 'failure' in at ? `${at.phase}: ${at.failure.code}: ${at.failure.message}` : at.phase
}
