import { cleanText } from '../../proto/picture/clean-text.ts'
import { watchStatus } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { styleFor } from '../render/style.ts'
import type { Session } from '../session.ts'
import type { Tty } from '../terminal.ts'
import { openKeyboard } from './keyboard.ts'
import { beginModel } from './model.ts'
import type { Ask, Effect, Message, Notice } from './model.ts'
import { openPace } from './pace.ts'
import { fetchAnswer, giveOrder } from './requests.ts'
import { openScreen } from './screen.ts'
import { step } from './step.ts'
import { drawView } from './view.ts'

const DRAW_EVERY_MS = 100
const CLOCK_EVERY_MS = 1_000

/** Until `q`, Ctrl-C or the session's signal. @throws CliError when the controller refuses the watch. */
export async function runDashboard(
  session: Session,
  client: OperatorClient,
  { tty, fleet }: { readonly tty: Tty; readonly fleet: string | null },
): Promise<void> {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  const signal = AbortSignal.any([session.terminal.signal, ending.signal])
  let ordering: Promise<Notice> | null = null
  let model = beginModel({ address: client.address, size: tty.size(), nowMs: Date.now(), fleet })
  const screen = openScreen(tty, styleFor(session.terminal.colour))
  const pace = openPace(DRAW_EVERY_MS, () => {
    // A terminal behind a slow line gets the newest picture when it is ready, not all of them.
    if (tty.isBehind()) pace.request()
    else screen.draw(drawView(model))
  })
  const take = (message: Message): void => {
    if (signal.aborted) return
    const stepped = step(model, message)
    model = stepped.model
    stepped.effects.forEach(act)
    pace.request()
  }
  const act = (effect: Effect): void => {
    switch (effect.kind) {
      case 'ask':
        void ask(client, effect.ask).then(take)
        return
      case 'order':
        ordering = giveOrder(session, effect.order, effect.reason)
        void ordering.then((notice) => {
          ordering = null
          take({ kind: 'ordered', notice })
        })
        return
      case 'redraw':
        screen.forget()
        return
      case 'quit':
        end()
    }
  }
  const stop = attach(tty, { take, end, pace })
  try {
    for await (const seen of watchStatus(client, signal)) take({ kind: 'watched', seen, atMs: Date.now() })
  } finally {
    stop()
    screen.close()
  }
  await tellLateOrder(session, ordering)
}

type Wires = {
  readonly take: (message: Message) => void
  readonly end: () => void
  readonly pace: { readonly stop: () => void }
}

/** Keys, sizes and the clock become messages until what comes back is called. */
function attach(tty: Tty, { take, end, pace }: Wires): () => void {
  const keyboard = openKeyboard((key) => take({ kind: 'key', key }))
  const stopListening = tty.listen({
    input: keyboard.input,
    resized: () => take({ kind: 'resized', size: tty.size() }),
    gone: end,
  })
  // The wall clock: a machine that slept must see that its picture is old.
  const clock = setInterval(() => take({ kind: 'clock', nowMs: Date.now() }), CLOCK_EVERY_MS)
  return () => {
    clearInterval(clock)
    keyboard.stop()
    stopListening()
    pace.stop()
  }
}

async function ask(client: OperatorClient, asked: Ask): Promise<Message> {
  try {
    const answer = await fetchAnswer(client, asked)
    return { kind: 'answered', ask: asked, answer, atMs: Date.now() }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { kind: 'unanswered', ask: asked, why, atMs: Date.now() }
  }
}

/** Who quits right after an order is told what became of it. */
async function tellLateOrder({ terminal }: Session, ordering: Promise<Notice> | null): Promise<void> {
  if (ordering === null) return
  const { text } = await ordering
  terminal.note(`${cleanText(text)}\n`)
}
