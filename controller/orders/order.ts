import type { RolloutEvent } from '../rollout/events.ts'

/** What an operator orders, as it was written; `target` is the name of a fleet or the id of a rollout. */
export type Order = RolloutOrder | RetryOrder | ResumeHostOrder | DigestOrder | HaltOrder

export type RolloutOrder = Said & {
  readonly kind: 'pause' | 'resume' | 'promote' | 'approve' | 'abort' | 'rollback'
  readonly target: string
  /** The wave that is meant; null: the one that the rollout is at. */
  readonly wave: string | null
}
export type RetryOrder = Said & {
  readonly kind: 'retry'
  /** Empty: the rollout of the host's fleet. */
  readonly target: string
  /** Name or id; null: every host that failed. */
  readonly host: string | null
}
export type ResumeHostOrder = Said & {
  readonly kind: 'resumeHost'
  /** Name or id. */
  readonly host: string
}
export type DigestOrder = Said & {
  readonly kind: 'deny' | 'allow'
  readonly fleet: string
  /** In full, or so many of its first characters that they name one that the fleet knows. */
  readonly digest: string
}
/** `fleet` null: every fleet. */
export type HaltOrder = Said & { readonly kind: 'halt' | 'unhalt'; readonly fleet: string | null }

type Said = { readonly actor: string; readonly reason: string }

/** `rolloutId` and `digest` are empty where the order concerns none. */
export type Ordered = {
  readonly rolloutId: string
  readonly digest: string
  readonly message: string
  /** False: it was so already, and nothing was done. */
  readonly changed: boolean
}

/** `event` null: what is ordered is so already, and `message` says so. */
export type OrderPlan = Omit<Ordered, 'changed'> & { readonly event: RolloutEvent | null }
