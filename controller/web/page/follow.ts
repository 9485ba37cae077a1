import { queryOf } from './place.ts'
import type { Place } from './place.ts'
import { openSseReader } from './sse.ts'
import type { StreamEvent } from './sse.ts'
import { decodeReading } from './wire.ts'
import type { Reading } from './wire.ts'

export type Followed =
  { readonly kind: 'read'; readonly reading: Reading } | { readonly kind: 'lost'; readonly why: string }

/** The controller sends something every five seconds. */
const SILENT_MS = 20_000
const PAUSE_MS = { first: 500, most: 5_000 }
const NO_SERVER = 'what serves this page does not answer (is "bootfleet web" still running?)'
const REASON_MAX_LENGTH = 600

/** Tells every reading of a place, over as many connections as that takes, until `signal` aborts. */
export async function follow(
  place: Place,
  tell: (seen: Followed) => void,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs: number = PAUSE_MS.first
  while (!signal.aborted) {
    try {
      const isEnded = await followOnce(
        place,
        (seen) => {
          pauseMs = PAUSE_MS.first
          tell(seen)
        },
        signal,
      )
      if (isEnded) continue
      throw new Error('the connection ended')
    } catch (error) {
      if (signal.aborted) return
      tell({ kind: 'lost', why: sentenceOf(error) })
    }
    // Not every page that lost the same controller comes back at the same moment.
    await sleep(pauseMs * (0.5 + Math.random()), signal)
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)
  }
}

/** True when the controller asks for another connection. @throws Error that says why there is no more. */
async function followOnce(
  place: Place,
  tell: (seen: Followed) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const given = new AbortController()
  const giveUp = (): void => given.abort(new Error('the controller has not said anything for 20 seconds'))
  const stop = (): void => given.abort()
  signal.addEventListener('abort', stop, { once: true })
  let silence = setTimeout(giveUp, SILENT_MS)
  const heard = (): void => {
    clearTimeout(silence)
    silence = setTimeout(giveUp, SILENT_MS)
  }
  try {
    const response = await ask(place, given.signal)
    for await (const { event, data } of eventsOf(response, heard)) {
      if (event === 'again') return true
      if (event === 'refused') throw new Error(data)
      if (event === 'reading') tell({ kind: 'read', reading: decodeReading(data) })
    }
    return false
  } finally {
    clearTimeout(silence)
    signal.removeEventListener('abort', stop)
    given.abort()
  }
}

async function* eventsOf(response: Response, heard: () => void): AsyncGenerator<StreamEvent> {
  if (!response.ok || response.body === null) throw new Error(await refusalOf(response))
  const read = openSseReader()
  const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await pieces.read().catch(brokenOff)
    if (done) return
    heard()
    yield* read(value)
  }
}

async function ask(place: Place, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(`events${queryOf(place)}`, { cache: 'no-store', signal })
  } catch (cause) {
    // A browser says no more of a server that is not there.
    if (cause instanceof TypeError) throw new Error(NO_SERVER, { cause })
    throw cause
  }
}

async function refusalOf(response: Response): Promise<string> {
  const said = (await response.text()).trim().slice(0, REASON_MAX_LENGTH)
  return said === '' ? `the answer was ${response.status}` : said
}

/** A browser has a name of its own for each way in which that happens. */
function brokenOff(cause: unknown): never {
  if (cause instanceof TypeError) throw new Error('the connection broke off', { cause })
  throw cause
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
