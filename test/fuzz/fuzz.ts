import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyMutant, mutant } from './mutations.ts'
import type { Mutant } from './mutations.ts'

export type Target = {
  /** Whole and good: what hostile inputs are made from. */
  readonly seeds: readonly Buffer[]
  /**
   * What a parser makes of an input. It throws when that is not bearable: an error nobody expects, or something
   * taken that nobody signed.
   */
  readonly take: (input: Buffer) => Taken | Promise<Taken>
  /** Of all inputs; where one costs a process, fewer are tried. */
  readonly share?: number
}
export type Taken = 'accepted' | 'refused'

const inputs = Number(process.env['FUZZ_INPUTS'] ?? '20000')
const seed = Number(process.env['SEED'] ?? '1')
/** Of processor time, so that a loaded machine is not taken for a slow parser. */
const INPUT_MAX_MS = 2_000

/** Every seed is accepted as it is, and then so many changed ones are looked at; a failure prints what replays it. */
export function fuzz(name: string, open: () => Target | Promise<Target>): void {
  describe(`hostile inputs: ${name}`, () => {
    const target = Promise.resolve().then(open)
    // Awaited by both tests; one that is filtered out must not leave it unhandled.
    target.catch(() => undefined)
    test('takes each seed as it is', async () => {
      const { seeds, take } = await target
      for (const [index, each] of seeds.entries()) {
        expect(await take(each), `seed ${index}`).toBe('accepted')
      }
    })
    test('bears whatever becomes of them', async () => {
      const { seeds, share = 1, take } = await target
      const property = fc.asyncProperty(mutant, (each) => bears(seeds, each, take))
      const numRuns = Math.max(1, Math.round(inputs * share))
      await fc.assert(property, { numRuns, seed, endOnFailure: false })
    })
  })
}

async function bears(seeds: readonly Buffer[], each: Mutant, take: Target['take']): Promise<void> {
  const input = applyMutant(seeds, each)
  const before = process.cpuUsage()
  await take(input)
  const { user, system } = process.cpuUsage(before)
  must(
    (user + system) / 1000 < INPUT_MAX_MS,
    `an input of ${input.length} bytes took ${(user + system) / 1000} ms`,
  )
}

export function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

/** Refusals by which a parser says what it found; another error is a crash. */
export async function refusedAs(
  kinds: readonly (abstract new (...words: never[]) => Error)[],
  take: () => Taken | Promise<Taken>,
): Promise<Taken> {
  try {
    return await take()
  } catch (error) {
    if (kinds.some((kind) => error instanceof kind)) return 'refused'
    throw error
  }
}
