import { askWhatIsDue, withSlot } from './asks.ts'
import { typeReason, useKey } from './browse.ts'
import type { Answer, Ask, Message, Model, Stepped } from './model.ts'
import type { Watched } from '../client.ts'
import { worstFirst } from '../../proto/picture/host-order.ts'
import { atTime, outOfTouch, withStatus } from '../../proto/picture/picture.ts'

/**
 * What a message makes of the picture, and what is to be done outside. A status only takes the place of the one
 * before, so that a thousand of them cost no more than the last: what is shown is made when it is drawn.
 */
export function step(model: Model, message: Message): Stepped {
  const stepped = stepOnce(model, message)
  const asking = askWhatIsDue(stepped.model)
  return { model: asking.model, effects: [...stepped.effects, ...asking.effects] }
}

function stepOnce(model: Model, message: Message): Stepped {
  switch (message.kind) {
    case 'watched':
      return quietly(watched(atTime(model, message.atMs), message.seen))
    case 'answered':
      return quietly(answered(atTime(model, message.atMs), message.ask, message.answer))
    case 'unanswered': {
      const { ask, why, atMs } = message
      if (model.slots[ask.kind].of !== ask.of) return quietly(model)
      const slots = withSlot(model.slots, ask.kind, { isAsking: false, failure: why })
      return quietly(atTime({ ...model, slots }, atMs))
    }
    case 'ordered':
      return quietly({ ...model, sending: null, notice: message.notice })
    case 'resized':
      return { model: { ...model, size: message.size }, effects: [{ kind: 'redraw' }] }
    case 'clock':
      return quietly(atTime(model, message.nowMs))
    case 'key':
      return model.mode.kind === 'reason'
        ? typeReason(model, model.mode, message.key)
        : useKey({ ...model, notice: null }, message.key)
  }
}

function watched(model: Model, seen: Watched): Model {
  switch (seen.kind) {
    case 'status':
      return withStatus(model, seen.status)
    case 'lost':
      return outOfTouch(model, seen.why)
  }
}

function answered(model: Model, ask: Ask, answer: Answer): Model {
  const slot = model.slots[ask.kind]
  if (slot.of !== ask.of) return model
  const value = answer.kind === 'hosts' ? worstFirst(answer.value) : answer.value
  const slots = withSlot(model.slots, ask.kind, {
    isAsking: false,
    answeredAtMs: model.nowMs,
    value,
    failure: '',
  })
  // What the stream told since it was asked is newer than the answer.
  if (answer.kind !== 'status' || slot.askedAtChange !== model.changes) return { ...model, slots }
  return { ...model, slots, status: answer.value, seenAtMs: model.nowMs, lost: null }
}

function quietly(model: Model): Stepped {
  return { model, effects: [] }
}
