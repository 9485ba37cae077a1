import type { AuditEntry } from '../../proto/audit-entry.ts'
import type {
  FleetStatus,
  HostStatus,
  Status,
  WhyResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { emptyPicture } from '../../proto/picture/picture.ts'
import type { Picture } from '../../proto/picture/picture.ts'
import type { Watched } from '../client.ts'
import type { Key } from './keys.ts'

export type Size = { readonly width: number; readonly height: number }

/** What is looked at. */
export type Place =
  | { readonly kind: 'fleets' }
  | { readonly kind: 'fleet'; readonly fleet: string }
  | { readonly kind: 'rollout'; readonly fleet: string }
  | { readonly kind: 'host'; readonly fleet: string; readonly host: string }

/** A place with where one is in it. A row is kept by its name, so that rows may move below the mark. */
export type Page = {
  readonly place: Place
  readonly selected: string | null
  readonly filter: string
  /** Lines above those that are seen, of a page that is only read. */
  readonly scroll: number
}

/** Names a rollout and not a fleet: what came in between must not be hit by an order that was meant for another. */
export type Order = {
  readonly verb: 'pause' | 'approve'
  readonly fleet: string
  readonly rollout: string
  readonly wave: string
}

/** What keys do. */
export type Mode =
  | { readonly kind: 'browse' }
  | { readonly kind: 'help'; readonly scroll: number }
  | { readonly kind: 'filter' }
  | { readonly kind: 'reason'; readonly order: Order; readonly text: string }

export type Notice = { readonly tone: 'good' | 'bad'; readonly text: string }

/** What the stream does not tell is asked for while it is looked at. */
export type AnswerValues = {
  readonly status: Status
  readonly events: readonly AuditEntry[]
  readonly hosts: readonly HostStatus[]
  readonly why: WhyResponse
}
export type AskKind = keyof AnswerValues
/** `of`: a fleet or a host, or empty. */
export type Ask = { readonly kind: AskKind; readonly of: string }
export type Answer = {
  readonly [Kind in AskKind]: { readonly kind: Kind; readonly value: AnswerValues[Kind] }
}[AskKind]

export type Slot<Value> = {
  readonly of: string
  readonly isAsking: boolean
  /** 0: never. */
  readonly askedAtMs: number
  /** How many changes the stream had told by then. */
  readonly askedAtChange: number
  readonly answeredAtMs: number
  readonly value: Value | null
  /** Why there is no newer answer; empty when there is. */
  readonly failure: string
}
export type Slots = { readonly [Kind in AskKind]: Slot<AnswerValues[Kind]> }

export type Model = Picture & {
  readonly address: string
  readonly size: Size
  /** The last one is open; never empty. */
  readonly pages: readonly Page[]
  readonly mode: Mode
  /** The order that is on its way. */
  readonly sending: Order | null
  readonly notice: Notice | null
  readonly slots: Slots
}

export type Message =
  | { readonly kind: 'watched'; readonly seen: Watched; readonly atMs: number }
  | { readonly kind: 'answered'; readonly ask: Ask; readonly answer: Answer; readonly atMs: number }
  | { readonly kind: 'unanswered'; readonly ask: Ask; readonly why: string; readonly atMs: number }
  | { readonly kind: 'ordered'; readonly notice: Notice }
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'resized'; readonly size: Size }
  | { readonly kind: 'clock'; readonly nowMs: number }

export type Effect =
  | { readonly kind: 'ask'; readonly ask: Ask }
  | { readonly kind: 'order'; readonly order: Order; readonly reason: string }
  | { readonly kind: 'redraw' }
  | { readonly kind: 'quit' }

export type Stepped = { readonly model: Model; readonly effects: readonly Effect[] }

export function beginModel(begin: {
  readonly address: string
  readonly size: Size
  readonly nowMs: number
  /** Opened at once; null: all of them. */
  readonly fleet: string | null
}): Model {
  const { fleet, nowMs, ...rest } = begin
  const fleets = pageOf({ kind: 'fleets' })
  const empty = {
    of: '',
    isAsking: false,
    askedAtMs: 0,
    askedAtChange: 0,
    answeredAtMs: 0,
    value: null,
    failure: '',
  }
  return {
    ...emptyPicture(nowMs),
    ...rest,
    pages: fleet === null ? [fleets] : [{ ...fleets, selected: fleet }, pageOf({ kind: 'fleet', fleet })],
    mode: { kind: 'browse' },
    sending: null,
    notice: null,
    slots: { status: empty, events: empty, hosts: empty, why: empty },
  }
}

export function pageOf(place: Place): Page {
  return { place, selected: null, filter: '', scroll: 0 }
}

export function openPage({ pages }: Model): Page {
  return pages.at(-1) ?? pageOf({ kind: 'fleets' })
}

export function changePage(model: Model, changes: Partial<Page>): Model {
  return { ...model, pages: [...model.pages.slice(0, -1), { ...openPage(model), ...changes }] }
}

export function fleetNamed({ status }: Model, name: string): FleetStatus | null {
  return status?.fleets.find((fleet) => fleet.name === name) ?? null
}
