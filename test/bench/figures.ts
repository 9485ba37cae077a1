/** One comparison: the same job done by us and by what a person would otherwise run. */
export type Figure = {
  name: string
  ours: number
  theirs: number
  unit: 'ms' | 'MiB'
  limit: number
  against: string
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function p95(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN
}

/** A ratio that is over its limit is marked, and the caller ends with status 1. */
export function render(figures: readonly Figure[]): { text: string; ok: boolean } {
  const lines = figures.map(({ name, ours, theirs, unit, limit, against }) => {
    const ratio = ours / theirs
    const mark = ratio <= limit ? '✔' : '✖'
    const amounts = `${ours.toFixed(unit === 'ms' ? 0 : 1)} ${unit} : ${theirs.toFixed(unit === 'ms' ? 0 : 1)} ${unit}`
    return `${mark} ${name.padEnd(44)} ${amounts.padEnd(22)} ${ratio.toFixed(2)} × (at most ${limit} ×)  against ${against}`
  })
  return {
    text: `${lines.join('\n')}\n`,
    ok: figures.every(({ ours, theirs, limit }) => ours / theirs <= limit),
  }
}

type Sides = { ours: (round: number) => Promise<unknown>; theirs: (round: number) => Promise<unknown> }

/** In ms, medians unless told; rounds counted from 1. The sides take turns, so that a busy machine slows both. */
export async function inTurns(
  rounds: number,
  sides: Sides,
  of: (values: readonly number[]) => number = median,
): Promise<{ ours: number; theirs: number }> {
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
  for (let round = 1; round <= rounds; round += 1) {
    times.ours.push(await timedMs(() => sides.ours(round)))
    times.theirs.push(await timedMs(() => sides.theirs(round)))
  }
  return { ours: of(times.ours), theirs: of(times.theirs) }
}

export async function timedMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
