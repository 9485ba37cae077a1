/**
 * Distinct keys, ascending, in runs of bounded length: a change compares log2(n) keys and moves no more than one
 * run, and the runs of a million hosts are a few thousand.
 */
export type Queue = { readonly runs: string[][]; size: number }

const runMax = 512

export function newQueue(): Queue {
  return { runs: [], size: 0 }
}

export function firstOf(queue: Queue): string | undefined {
  return queue.runs[0]?.[0]
}

export function enqueue(queue: Queue, key: string): void {
  const { runs } = queue
  queue.size += 1
  const at = runOf(queue, key)
  const run = runs[at]
  if (run === undefined) {
    runs.push([key])
    return
  }
  run.splice(placeIn(run, key), 0, key)
  if (run.length > runMax) runs.splice(at + 1, 0, run.splice(runMax >> 1))
}

/** A key that is not there changes nothing. */
export function dequeue(queue: Queue, key: string): void {
  const at = runOf(queue, key)
  const run = queue.runs[at]
  const place = run === undefined ? 0 : placeIn(run, key)
  if (run?.[place] !== key) return
  queue.size -= 1
  if (run.length === 1) queue.runs.splice(at, 1)
  else run.splice(place, 1)
}

export function* keysOf(queue: Queue): Generator<string> {
  for (const run of queue.runs) yield* run
}

/** The last run that begins at or before the key; where none does, the first. */
function runOf({ runs }: Queue, key: string): number {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (((runs[middle] as string[])[0] as string) <= key) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

function placeIn(run: readonly string[], key: string): number {
  let low = 0
  let high = run.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((run[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
