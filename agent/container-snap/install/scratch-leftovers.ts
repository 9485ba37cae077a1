import { lstat, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { oneLine } from '../errors.ts'
import { run } from '../exec.ts'
import { readMounts } from '../store/mounts.ts'

export const scratchPrefix = 'container-snap-look-'
const ownerFile = 'owner'

/** Says whose the folder is, so that a later run knows whether it may take it away. */
export async function claimScratch(folder: string): Promise<void> {
  await writeFile(join(folder, ownerFile), await processMark(process.pid), { mode: 0o600 })
}

/**
 * Takes away what a run that was killed left in the temporary folder: its mounts, loop devices and files. Folders of
 * other users, of runs that go on and of none that said whose they are stay; what cannot be removed is logged.
 */
export async function removeLeftScratch(context: Context): Promise<void> {
  const place = await realpath(tmpdir())
  const names = await readdir(place)
  for (const name of names.filter((one) => one.startsWith(scratchPrefix))) {
    const folder = join(place, name)
    try {
      if (await isLeft(folder)) await removeScratch(context, folder)
    } catch (error) {
      context.log(`remove what an earlier run left in ${folder}: ${oneLine(error)}`)
    }
  }
}

async function isLeft(folder: string): Promise<boolean> {
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== 0) return false
  const mark = await readFile(join(folder, ownerFile), 'utf8').catch(() => '')
  const [pid = ''] = mark.split(' ')
  return /^[1-9][0-9]*$/.test(pid) && (await processMark(Number(pid)).catch(() => '')) !== mark
}

async function removeScratch({ signal }: Context, folder: string): Promise<void> {
  const mounts = (await readMounts()).map(({ mountPoint }) => mountPoint)
  const inside = mounts.filter((at) => at.startsWith(`${folder}/`)).toSorted((a, b) => b.length - a.length)
  for (const at of inside) await run(['umount', at], { signal, attempt: `unmount ${at}` })
  const disk = join(folder, 'store.raw')
  const attempt = `list the loop devices of ${disk}`
  const listed = await run(['losetup', '--list', '--noheadings', '--output=NAME', `--associated=${disk}`], {
    signal,
    attempt,
  })
  for (const device of listed.split('\n').map((line) => line.trim())) {
    if (device !== '') await run(['losetup', '--detach', device], { signal, attempt: `detach ${device}` })
  }
  await rm(folder, { recursive: true, force: true })
}

/** A number alone may be another process's by now; with the time it began (proc(5), field 22) it is the same. */
async function processMark(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return `${pid} ${afterName[19] ?? ''}`
}
