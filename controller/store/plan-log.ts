import type { NatsConnection } from '@nats-io/transport-node'
import type { AckWindow } from './ack-window.ts'
import { replay } from './replay.ts'

export type StoredPlan = {
  readonly subject: string
  readonly sequence: number
  readonly envelope: Uint8Array
}

/** The stream that keeps the last plan of each host. */
export type PlanLog = {
  load(signal: AbortSignal): Promise<readonly StoredPlan[]>
  /** Sequences in the order given. @throws ControllerError StoreConflict, StoreUnavailable. */
  append(
    plans: readonly {
      readonly hostId: string
      readonly envelope: Uint8Array
      readonly expectedSequence: number
    }[],
    signal: AbortSignal,
  ): Promise<readonly number[]>
}

export function openPlanLog(options: {
  readonly connection: NatsConnection
  readonly window: AckWindow
  readonly stream: string
  readonly subjectOf: (hostId: string) => string
}): PlanLog {
  const { connection, window, stream, subjectOf } = options
  return {
    async load(signal) {
      const messages = await replay(connection, stream, signal)
      return messages.map(({ subject, sequence, data }) => ({ subject, sequence, envelope: data }))
    },
    async append(plans, signal) {
      const publications = plans.map(({ hostId, envelope, expectedSequence }) => ({
        subject: subjectOf(hostId),
        data: envelope,
        expectedSequence,
      }))
      return window.publishAll(publications, signal)
    },
  }
}
