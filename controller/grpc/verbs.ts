import type { RolloutStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { findHost } from '../orders/targets.ts'
import type { Order, Ordered, RolloutOrder } from '../orders/order.ts'
import type { Answering, Request } from './answering.ts'
import { reasonFromWire, requiredReason } from './operator-requests.ts'
import { rolloutStatusOf } from './status-view.ts'
import type { Snapshot } from './status-view.ts'

export type VerbBackend = {
  snapshot(): Snapshot
  /** Resolves when what was ordered is durable. @throws ControllerError RequestInvalid when it can have no effect. */
  order(order: Order): Promise<Ordered>
}

type RolloutRequest = { readonly target: string; readonly reason: string }
type WaveRequest = RolloutRequest & { readonly wave: string }
type RetryRequest = RolloutRequest & { readonly host: string }
type HostRequest = { readonly host: string; readonly reason: string }
type DigestRequest = { readonly fleet: string; readonly digest: string; readonly reason: string }
type HaltRequest = { readonly fleet: string; readonly reason: string }

type Verb =
  | 'pauseRollout'
  | 'resumeRollout'
  | 'resumeHost'
  | 'promoteRollout'
  | 'approveRollout'
  | 'abortRollout'
  | 'rollBackRollout'
  | 'retryRollout'
  | 'denyDigest'
  | 'allowDigest'
  | 'halt'
  | 'unhalt'

/** What an operator orders: every one answers with what was done, or what was so already, in a sentence. */
export function verbHandlers(
  backend: VerbBackend,
  unary: Answering,
): Pick<Handlers<typeof OperatorService>, Verb> {
  const onRollout =
    (kind: 'pause' | 'resume' | 'abort' | 'rollback') =>
    ({ request: { target, reason }, actor }: Request<RolloutRequest>) =>
      withRollout({ kind, target, wave: null, actor, reason: reasonOf(kind, target, reason) })
  const onWave =
    (kind: 'promote' | 'approve') =>
    ({ request: { target, reason, wave }, actor }: Request<WaveRequest>) =>
      withRollout({ kind, target, wave: orNull(wave), actor, reason: reasonOf(kind, target, reason) })
  const onDigest =
    (kind: 'deny' | 'allow') =>
    async ({ request: { fleet, digest, reason }, actor }: Request<DigestRequest>) => {
      const said = requiredReason(
        `${kind === 'deny' ? 'denying' : 'allowing'} a digest to fleet ${fleet}`,
        reason,
      )
      const done = await backend.order({ kind, fleet, digest, actor, reason: said })
      return { digest: done.digest, message: done.message, changed: done.changed }
    }
  const onFleets =
    (kind: 'halt' | 'unhalt') =>
    async ({ request: { fleet, reason }, actor }: Request<HaltRequest>) => {
      const order = { kind, fleet: orNull(fleet), actor, reason: reasonFromWire(reason) }
      const { message, changed } = await backend.order(order)
      return { message, changed }
    }

  return {
    pauseRollout: unary('pauseRollout', onRollout('pause')),
    resumeRollout: unary('resumeRollout', onRollout('resume')),
    abortRollout: unary('abortRollout', onRollout('abort')),
    rollBackRollout: unary('rollBackRollout', onRollout('rollback')),
    promoteRollout: unary('promoteRollout', onWave('promote')),
    approveRollout: unary('approveRollout', onWave('approve')),
    retryRollout: unary(
      'retryRollout',
      ({ request: { target, host, reason }, actor }: Request<RetryRequest>) =>
        withRollout({ kind: 'retry', target, host: orNull(host), actor, reason: reasonFromWire(reason) }),
    ),
    resumeHost: unary('resumeHost', onHost(backend)),
    denyDigest: unary('denyDigest', onDigest('deny')),
    allowDigest: unary('allowDigest', onDigest('allow')),
    halt: unary('halt', onFleets('halt')),
    unhalt: unary('unhalt', onFleets('unhalt')),
  }

  async function withRollout(order: Order): Promise<{
    readonly rollout?: RolloutStatus
    readonly message: string
    readonly changed: boolean
  }> {
    const { rolloutId, message, changed } = await backend.order(order)
    const rollout = rolloutStatusOf(backend.snapshot(), rolloutId)
    return { message, changed, ...(rollout === null ? {} : { rollout }) }
  }
}

function onHost(backend: VerbBackend) {
  return async ({ request: { host, reason }, actor }: Request<HostRequest>) => {
    const order = { kind: 'resumeHost', host, actor, reason: reasonFromWire(reason) } as const
    const { message, changed } = await backend.order(order)
    return { hostId: findHost(backend.snapshot().state, host).id, message, changed }
  }
}

/** What stops or overrides something needs a reason, whoever asks for it; what goes on need not say why. */
function reasonOf(kind: RolloutOrder['kind'], target: string, reason: string): string {
  switch (kind) {
    case 'pause':
      return requiredReason(`pausing ${target}`, reason)
    case 'promote':
      return requiredReason(`promoting ${target}`, reason)
    case 'abort':
      return requiredReason(`aborting ${target}`, reason)
    case 'rollback':
      return requiredReason(`rolling back ${target}`, reason)
    case 'resume':
    case 'approve':
      return reasonFromWire(reason)
  }
}

function orNull(text: string): string | null {
  return text === '' ? null : text
}
