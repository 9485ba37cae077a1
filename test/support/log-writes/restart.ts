import { rm } from 'node:fs/promises'
import type { Version } from '../powercut/host.ts'
import { attach } from '../powercut/medium.ts'
import { boot } from '../powercut/survive.ts'
import { versionOf } from '../powercut/trees.ts'
import type { World } from '../powercut/world.ts'

export type Update = { from: Version; to: Version }

/**
 * Starts a machine from what a power cut amid an update left, and updates it again.
 * @returns What is wrong; null when it started whole and is on the new version at the end.
 */
export async function restart(world: World, file: string, { from, to }: Update): Promise<string | null> {
  const disk = await attach(file, await world.folder('restarted'))
  try {
    await disk.mount(null)
    const byDefault = await versionOf(disk.root, world.manifests)
    const byLoader = await boot(world, disk)
    for (const version of [byDefault, byLoader]) {
      if (version !== from.name && version !== to.name) return `version ${version} came up`
    }
    await world.snap(disk, 'repair')
    const image = `${world.repository}@${to.digest}`
    await world.snap(disk, 'pull', `docker://${image}`)
    await world.snap(disk, 'activate', await world.snap(disk, 'deploy', image))
    if ((await boot(world, disk)) !== to.name)
      return 'the loader would start the old version after the update'
    await disk.mount(null)
    const atEnd = await versionOf(disk.root, world.manifests)
    return atEnd === to.name ? null : 'the default is the old version after the update'
  } finally {
    await disk.detach()
    await rm(file)
  }
}
