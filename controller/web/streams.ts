import { WebRefusal } from './backend.ts'

/** Each holds a connection, a message and a listener. */
const STREAMS_MAX = 16
const STREAMS_OF_ONE_MAX = 8

export type Streams = {
  /**
   * A body of what `tell` makes. Nothing is made before it is asked for, so that one message is all that a slow reader
   * keeps in our memory. `close` may be called more than once.
   * @throws WebRefusal 429.
   */
  readonly open: (
    operator: string,
    tell: (signal: AbortSignal) => AsyncGenerator<string>,
  ) => { readonly body: ReadableStream<Uint8Array>; readonly close: () => void }
}

export function openStreams(): Streams {
  const byOperator = new Map<string, number>()
  const total = (): number => [...byOperator.values()].reduce((sum, count) => sum + count, 0)
  const take = (operator: string): (() => void) => {
    const own = byOperator.get(operator) ?? 0
    if (own >= STREAMS_OF_ONE_MAX)
      throw new WebRefusal(429, `operator ${operator} has ${own} pages open; close one`)
    if (total() >= STREAMS_MAX) throw new WebRefusal(429, 'too many pages are open; close one')
    byOperator.set(operator, own + 1)
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      const left = (byOperator.get(operator) ?? 1) - 1
      if (left === 0) byOperator.delete(operator)
      else byOperator.set(operator, left)
    }
  }
  return {
    open(operator, tell) {
      const release = take(operator)
      const stop = new AbortController()
      const messages = tell(stop.signal)
      const close = (): void => {
        release()
        stop.abort()
        // Also when nothing was asked for yet: what was taken for it is given back.
        void messages.return(undefined).catch(() => undefined)
      }
      return { body: bodyOf(messages, close), close }
    },
  }
}

function bodyOf(messages: AsyncGenerator<string>, close: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await messages.next()
        if (done !== true) return controller.enqueue(encoder.encode(value))
        close()
        controller.close()
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
}
