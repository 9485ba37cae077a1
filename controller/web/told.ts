import { setTimeout as sleep } from 'node:timers/promises'
import { WebRefusal } from './backend.ts'
import { encodeReading } from './page/wire.ts'
import type { Reading } from './page/wire.ts'

export type Telling = {
  /** @throws WebRefusal. */
  readonly read: () => Reading
  /** As {@link WebBackend.listen}. */
  readonly listen: (listener: () => void) => (() => void) | null
  readonly signal: AbortSignal
  readonly pace?: Pace
}

export type Pace = {
  /** Between two messages, at least. */
  readonly leastMs: number
  /** After so long also when nothing changed: what holds a time goes on, and a silent stream may be a dead one. */
  readonly mostMs: number
  /** A connection is closed then, and the page opens another. */
  readonly ageMs: number
}

const PACE: Pace = { leastMs: 1_000, mostMs: 5_000, ageMs: 10 * 60_000 }
/** A reading that takes long to make is made more seldom, so that no viewer takes more of the processor than this part. */
const COST_PART = 50
const MESSAGE_MAX_LENGTH = 4 * 1024 * 1024

/**
 * Messages of server-sent events, the newest reading each time: who reads slowly skips readings, since nothing is
 * made before it is taken. Ends after `signal`, with a last message that says why.
 */
export async function* tell({ read, listen, signal, pace = PACE }: Telling): AsyncGenerator<string> {
  const bell = openBell()
  const stop = listen(bell.ring)
  const endsAtMs = performance.now() + pace.ageMs
  try {
    if (stop === null) throw new WebRefusal(429, 'too many watches are open; close one')
    while (!signal.aborted && performance.now() < endsAtMs) {
      const beganAtMs = performance.now()
      const text = encodeReading(read())
      const tookMs = performance.now() - beganAtMs
      if (text.length > MESSAGE_MAX_LENGTH)
        throw new WebRefusal(500, 'this is too much for one page; use bootfleet get')
      yield sseMessage('reading', text)
      await bell.heard({ ...pace, leastMs: Math.max(pace.leastMs, tookMs * COST_PART) }, signal)
    }
    yield sseMessage('again', '')
  } catch (error) {
    if (!(error instanceof WebRefusal)) throw error
    yield sseMessage('refused', error.message)
  } finally {
    stop?.()
  }
}

/** `data` of many lines is sent as as many, since a line end would end the field. */
export function sseMessage(event: string, data: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`)
  return `event: ${event}\n${lines.join('')}\n`
}

type Bell = {
  readonly ring: () => void
  /** Resolves when it rang since it was last heard, but neither before `leastMs` nor after `mostMs`. */
  readonly heard: (span: Pick<Pace, 'leastMs' | 'mostMs'>, signal: AbortSignal) => Promise<void>
}

function openBell(): Bell {
  let rang = false
  let answer: (() => void) | null = null
  return {
    ring() {
      rang = true
      answer?.()
    },
    async heard({ leastMs, mostMs }, signal) {
      await sleep(leastMs, undefined, { signal }).catch(() => undefined)
      if (!rang && !signal.aborted) {
        const enough = new AbortController()
        answer = () => enough.abort()
        const either = AbortSignal.any([signal, enough.signal])
        await sleep(Math.max(0, mostMs - leastMs), undefined, { signal: either }).catch(() => undefined)
        answer = null
      }
      rang = false
    },
  }
}
