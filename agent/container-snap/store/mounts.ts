import { readFile, realpath } from 'node:fs/promises'

export type Mount = {
  mountPoint: string
  root: string
  fileSystem: string
  source: string
  subvolumeId: number | null
}

/** Octal escapes are how the kernel writes blanks in paths. */
function unescapePath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ')
    const fields = before?.split(' ') ?? []
    const [fileSystem, source = '', superOptions] = after?.split(' ') ?? []
    const root = fields[3]
    const mountPoint = fields[4]
    if (root === undefined || mountPoint === undefined || fileSystem === undefined) continue
    const subvolumeId = superOptions?.match(/(?:^|,)subvolid=(\d+)/)?.[1]
    mounts.push({
      mountPoint: unescapePath(mountPoint),
      root: unescapePath(root),
      fileSystem,
      source: unescapePath(source),
      subvolumeId: subvolumeId === undefined ? null : Number(subvolumeId),
    })
  }
  return mounts
}

export async function readMounts(): Promise<Mount[]> {
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'))
}

/** The subvolume mounted exactly at `directory`; of stacked mounts the last one is what is seen. */
export async function subvolumeIdMountedAt(directory: string): Promise<number | null> {
  const path = await realpath(directory)
  const mounts = await readMounts()
  return mounts.findLast((mount) => mount.mountPoint === path)?.subvolumeId ?? null
}
