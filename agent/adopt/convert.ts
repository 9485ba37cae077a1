import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Journal } from './journal.ts'
import type { Workplace } from './workplace.ts'

/**
 * One of the subvolumes that the machine lacks, anew: what an earlier try left of it is thrown away. All is seen from
 * the top level, where nothing else is mounted and blocks can be shared.
 */
export async function makeSubvolume(
  { top, call }: Pick<Workplace, 'top' | 'call'>,
  { root }: Journal,
  { name, copyOf }: Journal['created'][number],
): Promise<void> {
  const path = join(top, name)
  if (await isThere(path))
    await call(['btrfs', 'subvolume', 'delete', '--commit-after', path], `delete ${name}`)
  await mkdir(dirname(path), { recursive: true })
  await call(['btrfs', 'subvolume', 'create', path], `create the subvolume ${name}`)
  if (copyOf !== null) {
    const from = join(top, root.subvolume, copyOf)
    await call(
      ['cp', '--archive', '--reflink=auto', '--no-target-directory', from, path],
      `copy ${copyOf} into ${name}`,
    )
  }
  await call(['btrfs', 'filesystem', 'sync', top], `sync ${name}`)
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
