import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { Call } from './container-snap-program.ts'
import { parseJson } from './container-snap-status.ts'

const Collected = z.object({
  removed: z.array(z.object({ kind: z.string(), id: z.string(), reason: z.string() })),
})

/** The kernel gives space back in the background, on a slow disk for minutes. */
const TIDY_TIMEOUT_MS = 15 * 60_000
/** What runs and its way back stay in any case; of images that were only pulled, the last. */
const IMAGES_KEPT = 2

/** What `container-snap gc` took away. */
export async function tidyUp(call: Call, signal: AbortSignal): Promise<readonly string[]> {
  const attempt = 'freeing what is not needed'
  const words = ['gc', '--keep', String(IMAGES_KEPT), '--json']
  const text = await call(words, { code: 'TidyFailed', attempt, signal, timeoutMs: TIDY_TIMEOUT_MS })
  const collected = Collected.safeParse(parseJson(text))
  if (!collected.success)
    throw new AgentError('TidyFailed', `${attempt}: the program did not say what it did`)
  return collected.data.removed.map(({ kind, id, reason }) => `${kind} ${id}: ${reason}`)
}

/** Once more, where there is no room and something could be freed. */
export async function withRoom<T>(call: Call, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'NoSpace') throw error
    const freed = await tidyUp(call, signal).catch(() => [])
    if (freed.length === 0) throw error
    return act()
  }
}
