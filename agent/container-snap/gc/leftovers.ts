import { parseCopyName } from '../store/snapshots.ts'

/** A subvolume below the store's folder; `name` has slashes where it lies inside another one. */
export type BelowStore = { name: string; id: number; uuid: string }

export type Leftover = { name: string; reason: string }

export type LeftoverFacts = {
  subvolumes: readonly BelowStore[]
  /** UUIDs of the copies that the ledger knows. */
  known: ReadonlySet<string>
  layers: ReadonlySet<string>
  /** Whether a name is, or holds, what runs, boots next or is mounted. */
  isHeld: (name: string) => boolean
}

const layerName = /^[0-9a-f]{64}$/

/** What no image and no deployment reaches: other tools' and crashes' doing. The inner ones stand first. */
export function findLeftovers({ subvolumes, known, layers, isHeld }: LeftoverFacts): Leftover[] {
  return subvolumes
    .flatMap(({ name, uuid }): Leftover[] => {
      if (isHeld(name)) return []
      const [outer = '', inner, ...deeper] = name.split('/')
      if (inner !== undefined) {
        const byMistake = deeper.length === 0 && isStoreName(outer) && isStoreName(inner)
        return byMistake ? [{ name, reason: 'a copy that was made inside another one' }] : []
      }
      if (parseCopyName(name) !== null)
        return known.has(uuid) ? [] : [{ name, reason: 'a copy whose image is gone' }]
      return layerName.test(name) && !layers.has(name)
        ? [{ name, reason: 'a layer that the image store does not know' }]
        : []
    })
    .toSorted(byDepth)
}

function isStoreName(name: string): boolean {
  return layerName.test(name) || parseCopyName(name) !== null
}

/** btrfs deletes no subvolume that holds another one. */
export function nestedIn(subvolumes: readonly BelowStore[], name: string): BelowStore[] {
  return subvolumes.filter((one) => one.name.startsWith(`${name}/`)).toSorted(byDepth)
}

function byDepth(a: { name: string }, b: { name: string }): number {
  return b.name.split('/').length - a.name.split('/').length
}
