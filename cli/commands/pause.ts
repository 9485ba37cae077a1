import { create } from '@bufbuild/protobuf'
import {
  PauseRolloutRequestSchema,
  ResumeRolloutRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { RolloutStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

type Order = { readonly target: string; readonly reason: string }

export function runPause(session: Session, order: Order): Promise<ExitStatus> {
  return withClient(session, async (client) => {
    const request = create(PauseRolloutRequestSchema, named(order))
    const { rollout } = await call(client, client.service.pauseRollout, request)
    session.terminal.out(sentence(rollout, 'paused'))
    return exitStatus.done
  })
}

export function runResume(session: Session, order: Order): Promise<ExitStatus> {
  return withClient(session, async (client) => {
    const request = create(ResumeRolloutRequestSchema, named(order))
    const { rollout } = await call(client, client.service.resumeRollout, request)
    session.terminal.out(sentence(rollout, 'resumed'))
    return exitStatus.done
  })
}

/** `rollout/X` and `fleet/X` are taken as `X`. */
function named({ target, reason }: Order): Order {
  return { target: target.replace(/^(rollouts?|fleets?)\//, ''), reason }
}

function sentence(rollout: RolloutStatus | undefined, verb: string): string {
  if (rollout === undefined) return `${verb}\n`
  return `rollout/${rollout.id} of fleet ${rollout.fleet} ${verb}: ${rollout.state}\n`
}
