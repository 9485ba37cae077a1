import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import { readMounts } from '../store/mounts.ts'
import { mountOf } from './grub-place.ts'
import type { EspDisk } from './esp-disk.ts'
import { openEspDisk } from './esp-disk.ts'

const journalled = new Set(['ext3', 'ext4', 'xfs'])

/**
 * As the ESP's, for file systems with a journal too. GRUB reads no journal: what stands only there is not there for
 * it after a power cut. To freeze a file system is what makes it write everything to its place.
 */
export function openGrubDisk(context: Pick<Context, 'signal'>): EspDisk {
  const disk = openEspDisk(context)
  return {
    ...disk,
    sync: async (folder) => {
      await disk.sync(folder)
      const mount = await mountOf(await readMounts(), folder)
      if (journalled.has(mount.fileSystem)) await emptyJournal(mount.mountPoint)
    },
  }
}

/** Both in a process that no signal of ours ends: a file system that stays frozen blocks whoever writes to it. */
async function emptyJournal(mountPoint: string): Promise<void> {
  const script = `trap '' HUP INT TERM; fsfreeze --freeze "$1" && fsfreeze --unfreeze "$1"`
  const attempt = `write the journal of ${mountPoint} to its place`
  await run(['sh', '-c', script, 'sh', mountPoint], { signal: new AbortController().signal, attempt })
}
