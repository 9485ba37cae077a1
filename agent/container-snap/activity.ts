import { readFile, readdir } from 'node:fs/promises'

/** Less than this in the whole time is a runtime's own housekeeping, or a link as good as dead. */
const movedBytesMin = 4096
const intervalMsMax = 5_000

/**
 * Calls `onStall` once when a process has moved no data for `stallMs`, by file, pipe or socket, while neither it nor
 * a child of it waited for the disk: writing back to a slow disk takes minutes and is no stall. Returns the end of
 * the watch.
 */
export function watchActivity(pid: number, stallMs: number, onStall: () => void): () => void {
  let marked = { movedBytes: 0, atMs: performance.now() }
  const look = async (): Promise<void> => {
    const nowMs = performance.now()
    const movedBytes = await bytesMoved(pid)
    if (movedBytes - marked.movedBytes >= movedBytesMin || (await waitsForDisk(pid))) {
      marked = { movedBytes, atMs: nowMs }
    } else if (nowMs - marked.atMs >= stallMs) {
      clearInterval(timer)
      onStall()
    }
  }
  // A process that is gone has no files to read; its end is told by others.
  const timer = setInterval(() => void look().catch(() => {}), Math.min(intervalMsMax, stallMs / 4))
  return () => clearInterval(timer)
}

/** proc_pid_io(5): `rchar` and `wchar` count pipes and sockets too. */
async function bytesMoved(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/io`, 'utf8')
  const counts = [...text.matchAll(/^[rw]char: (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

async function waitsForDisk(pid: number): Promise<boolean> {
  for (const id of [pid, ...(await childrenOf(pid))]) {
    for (const thread of await readdir(`/proc/${id}/task`).catch(() => [])) {
      const text = await readFile(`/proc/${id}/task/${thread}/stat`, 'utf8').catch(() => '')
      // The state stands behind the command's name, which is in brackets and may hold anything.
      if (text.slice(text.lastIndexOf(')') + 2).startsWith('D')) return true
    }
  }
  return false
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = threads.map((thread) =>
    readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => ''),
  )
  return (await Promise.all(lists)).flatMap((list) => list.split(' ').filter(Boolean).map(Number))
}
