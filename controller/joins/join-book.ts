import { TOKENS_MAX, isOver } from './token-record.ts'
import type { TokenRecord } from './token-record.ts'

/** Tokens as this controller last read or wrote them in its term. */
export type JoinBook = {
  /** @throws ControllerError NotLeader, StoreUnavailable. */
  readonly tokens: () => Promise<readonly TokenRecord[]>
  /** Durable when it resolves. @throws ControllerError StoreConflict, StoreUnavailable. */
  readonly keep: (record: TokenRecord) => Promise<void>
}

export type JoinBookOptions = {
  readonly load: () => Promise<readonly TokenRecord[]>
  readonly put: (record: TokenRecord) => Promise<void>
  /** One that no controller made is none. */
  readonly isSealed: (record: TokenRecord) => boolean
  /** @throws ControllerError NotLeader. */
  readonly term: () => number
}

export function openJoinBook({ load, put, isSealed, term }: JoinBookOptions): JoinBook {
  let held: { readonly term: number; readonly bySlot: Map<number, TokenRecord> } | null = null

  async function current(): Promise<Map<number, TokenRecord>> {
    const now = term()
    if (held?.term === now) return held.bySlot
    const bySlot = new Map((await load()).filter(isSealed).map((record) => [record.slot, record]))
    held = { term: now, bySlot }
    return bySlot
  }

  return {
    tokens: async () => [...(await current()).values()],
    async keep(record) {
      const bySlot = await current()
      try {
        await put(record)
        bySlot.set(record.slot, record)
      } catch (error) {
        // Another may have written, or this was stored without an answer: only the store knows what counts.
        held = null
        throw error
      }
    },
  }
}

/** Where a new token may be kept: where none is, else where the oldest of those is that nobody needs any more. */
export function freeSlot(tokens: readonly TokenRecord[], nowMs: number): number | null {
  const bySlot = new Map(tokens.map((token) => [token.slot, token]))
  for (let slot = 0; slot < TOKENS_MAX; slot += 1) if (!bySlot.has(slot)) return slot
  const over = tokens
    .filter((token) => isOver(token, nowMs))
    .toSorted((one, other) => one.createdAtMs - other.createdAtMs)
  return over[0]?.slot ?? null
}
