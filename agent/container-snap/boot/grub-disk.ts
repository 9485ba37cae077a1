import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import { readMounts } from '../store/mounts.ts'
import { mountOf } from './grub-place.ts'
import type { EspDisk } from './esp-disk.ts'
import { openEspDisk } from './esp-disk.ts'

const journalled = new Set(['ext3', 'ext4', 'xfs'])
/** At its end the shell is killed, maybe between freeze and thaw: longer than any disk that still works takes. */
const freezeTimeoutMs = 60 * 60_000

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

/**
 * By a shell, although nothing else here is: freeze and thaw must be one process's work, which goes on when we are
 * killed in between, for a file system that stays frozen blocks whoever writes to it, the shutdown included. No program
 * does both. Two children of ours would leave it frozen; one of Node has to be loaded, while all that writes stands
 * still, from a disk that may be the frozen one. The script is a constant, and what is frozen is its argument.
 */
async function emptyJournal(mountPoint: string): Promise<void> {
  const script = `trap '' HUP INT TERM; fsfreeze --freeze "$1" && fsfreeze --unfreeze "$1"`
  const attempt = `write the journal of ${mountPoint} to its place`
  const { signal } = new AbortController()
  await run(['sh', '-c', script, 'sh', mountPoint], { signal, attempt, timeoutMs: freezeTimeoutMs })
}
