import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import { STORE } from './facts.ts'
import type { Journal } from './journal.ts'
import type { Find, Workplace } from './workplace.ts'

/** Of the last change of a subvolume that is on disk. */
export async function generationOf(path: string, call: Workplace['call']): Promise<number> {
  const attempt = `read the generation of ${path}`
  const text = await call(['btrfs', 'subvolume', 'show', path], attempt)
  const found = /^\s*Generation:\s*(\d+)$/m.exec(text)?.[1]
  if (found === undefined) throw new AgentError('InspectFailed', `${attempt}: btrfs does not say it`)
  return Number(found)
}

/** Names of subvolumes that were made and that somebody else than the adoption has written to since. */
export async function writtenSince(
  { top, call, find }: Pick<Workplace, 'top' | 'call'> & { readonly find: Find },
  { created, generations, done }: Journal,
): Promise<readonly string[]> {
  await call(['btrfs', 'filesystem', 'sync', top], 'sync the file system')
  const written: string[] = []
  for (const { name, at } of created) {
    const path = join(top, name)
    const isMade = done.includes(`subvolume ${name}`) && name !== STORE.name
    if (!isMade || (await lstat(path).catch(() => null)) === null) continue
    const made = generations[name]
    const isOlder = made !== undefined && (await generationOf(path, call)) <= made
    if (isOlder || (made !== undefined && at === '/var' && !(await hasOthersFiles(path, made, find))))
      continue
    written.push(name)
  }
  return written
}

/** The adoption itself writes to /var. The program's last line names no file. */
async function hasOthersFiles(path: string, made: number, find: Find): Promise<boolean> {
  const attempt = `list what was written to ${path}`
  const command = ['btrfs', 'subvolume', 'find-new', path, String(made + 1)] as const
  return (await find(command, attempt, isOthersFile)) !== null
}

/** By a line of `find-new`, which ends in flags and a path below the subvolume. */
export function isOthersFile(line: string): boolean {
  return line.startsWith('inode ') && !OUR_FILE.test(line)
}

/** The first flags of the line: the path may hold any words. */
const OUR_FILE = /^(?:(?! flags ).)* flags [^ ]+ lib\/(?:bootfleet|container-snap)\//
