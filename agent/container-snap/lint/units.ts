import type { Tree } from './tree.ts'

export const unitFolders = ['etc/systemd/system', 'usr/lib/systemd/system'] as const

/** Names of the units that another one pulls in at boot, without the masked ones. */
export async function enabledUnits(tree: Tree): Promise<ReadonlySet<string>> {
  const enabled = new Set<string>()
  for (const folder of unitFolders) {
    for (const group of await tree.list(folder)) {
      if (!/\.(wants|requires|upholds)$/.test(group)) continue
      for (const unit of await tree.list(`${folder}/${group}`)) enabled.add(unit)
    }
  }
  for (const unit of enabled) if (await isMasked(tree, unit)) enabled.delete(unit)
  return enabled
}

async function isMasked(tree: Tree, unit: string): Promise<boolean> {
  return (await tree.linkTarget(`etc/systemd/system/${unit}`)) === '/dev/null'
}

export async function hasUnit(tree: Tree, unit: string): Promise<boolean> {
  for (const folder of unitFolders) {
    if ((await tree.find(`${folder}/${unit}`))?.kind === 'file') return true
  }
  return false
}
