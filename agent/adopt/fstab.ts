import { PERSISTENT } from './facts.ts'
import type { Facts, FolderFacts, FstabLine } from './facts.ts'

/** fstab(5) without comments; what has no mount point is no line. */
export function parseFstab(text: string): readonly FstabLine[] {
  return text.split('\n').flatMap((line) => {
    const [device = '', at = '', type = 'auto', options = 'defaults'] = line.trim().split(/\s+/)
    return device === '' || device.startsWith('#') || at === '' ? [] : [{ device, at, type, options }]
  })
}

export type Dropped = { readonly line: FstabLine; readonly because: string }

/** A line of the old root that the new one does not get, and why; the one of `/` itself goes without saying. */
export function droppedLines({ fstab }: Pick<Facts, 'fstab'>): readonly Dropped[] {
  return fstab.flatMap((line) => {
    const because = reasonToDrop(line)
    return because === null ? [] : [{ line, because }]
  })
}

function reasonToDrop({ device, at, type }: FstabLine): string | null {
  if (at === '/') return null
  if (at === '/.snapshots') return 'snapper is not carried over'
  if (type === 'btrfs' && /^\/boot(\/|$)/.test(at)) return 'it belongs to the boot loader of the old root'
  const isFile = device.startsWith('/') && !device.startsWith('/dev/')
  if (!isFile || isPersistent(device)) return null
  return `${device} is in the old root`
}

export function isPersistent(path: string): boolean {
  return PERSISTENT.some(({ path: folder }) => path === folder || path.startsWith(`${folder}/`))
}

/** What the new root mounts, in this file system, beside the lines that it keeps. */
export type Mounting = { readonly at: string; readonly subvolume: string }

/** Folders that are a subvolume by now and that no line mounts. */
export function unlistedMounts(facts: Pick<Facts, 'fstab' | 'folders'>): readonly Mounting[] {
  const listed = new Set(facts.fstab.map(({ at }) => at.replace(/(?<=.)\/$/, '')))
  const isOurs = ({ found, path }: FolderFacts): boolean =>
    found === 'nested' || (found === 'mounted' && !listed.has(path))
  return facts.folders.flatMap((folder) =>
    isOurs(folder) && folder.subvolume !== null
      ? [{ at: folder.path, subvolume: folder.subvolume.replace(/^\//, '') }]
      : [],
  )
}

/** As the installer has it: the device is the root's own, so who waits for it waits for a slow udev. */
const PATIENCE = 'x-systemd.device-timeout=15min'

/** The new root's: our own mounts, then what the old one had, its comments too, without what is dropped. */
export function fstabOfNewRoot(text: string, uuid: string, mountings: readonly Mounting[]): string {
  const own = mountings.map(
    ({ at, subvolume }) => `UUID=${uuid} ${at} btrfs subvol=${subvolume},${PATIENCE} 0 0`,
  )
  const kept = text.split('\n').filter((line) => {
    const [parsed] = parseFstab(line)
    return parsed === undefined || (parsed.at !== '/' && reasonToDrop(parsed) === null)
  })
  return `${[...own, ...kept].join('\n').trimEnd()}\n`
}

/** Mount points that the image must have: whatever is kept in a persistent folder is there. */
export function foreignMountPoints({ fstab }: Pick<Facts, 'fstab'>): readonly string[] {
  const usual = /^\/(boot|boot\/efi|efi|tmp|mnt|media|proc|sys|dev|run)(\/|$)/
  return fstab.flatMap((line) =>
    line.at.startsWith('/') && line.at !== '/' && reasonToDrop(line) === null && !isPersistent(line.at)
      ? usual.test(line.at)
        ? []
        : [line.at]
      : [],
  )
}
