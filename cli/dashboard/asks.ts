import { openPage } from './model.ts'
import type { Ask, AskKind, Model, Slot, Slots, Stepped } from './model.ts'

/** Not more often, however much changes. */
const ASK_AGAIN_MS = 2_000
/** Sentences that hold a time go on also when nothing changes. */
const ASK_ANYWAY_MS = 10_000
/** The stream is silent while nothing changes, and a silent one may be a dead one: then the status is asked for. */
const SILENT_MS = 5_000

/** Marks as asked what is due, and says so in the effects. */
export function askWhatIsDue(model: Model): Stepped {
  const due = wantedAsks(model).filter((ask) => isDue(ask, model))
  if (due.length === 0) return { model, effects: [] }
  const slots = due.reduce<Slots>((kept, ask) => asked(kept, ask, model), model.slots)
  return { model: { ...model, slots }, effects: due.map((ask) => ({ kind: 'ask', ask })) }
}

function wantedAsks(model: Model): readonly Ask[] {
  const { place } = openPage(model)
  const status: Ask = { kind: 'status', of: '' }
  switch (place.kind) {
    case 'fleets':
      return [status, { kind: 'events', of: '' }]
    case 'fleet':
      return [status, { kind: 'events', of: place.fleet }]
    case 'rollout':
      return [status, { kind: 'hosts', of: place.fleet }]
    case 'host':
      return [status, { kind: 'hosts', of: place.fleet }, { kind: 'why', of: place.host }]
  }
}

function isDue(ask: Ask, { slots, nowMs, seenAtMs, changes }: Model): boolean {
  const slot: Slot<unknown> = slots[ask.kind]
  if (ask.kind === 'status' && nowMs - seenAtMs < SILENT_MS) return false
  if (slot.of !== ask.of || slot.askedAtMs === 0) return true
  const ageMs = nowMs - slot.askedAtMs
  if (slot.isAsking || ageMs < ASK_AGAIN_MS) return false
  return ageMs >= (ask.kind === 'status' ? SILENT_MS : ASK_ANYWAY_MS) || slot.askedAtChange !== changes
}

function asked(slots: Slots, { kind, of }: Ask, { nowMs, changes }: Model): Slots {
  const before: Slot<unknown> = slots[kind]
  const kept = before.of === of ? before : { ...before, value: null, answeredAtMs: 0, failure: '' }
  return withSlot(slots, kind, { ...kept, of, isAsking: true, askedAtMs: nowMs, askedAtChange: changes })
}

export function withSlot(slots: Slots, kind: AskKind, changes: Partial<Slot<unknown>>): Slots {
  return { ...slots, [kind]: { ...slots[kind], ...changes } }
}
