import { describeFleets, describeHosts, describeRollouts } from '../../controller/rollout/engine.ts'
import type { Decision, Write } from '../../controller/rollout/decision.ts'
import type { RolloutEvent } from '../../controller/rollout/events.ts'
import { startMs } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

export function traceOf(
  world: World,
  event: RolloutEvent | { readonly kind: 'open' },
  decision: Decision,
): readonly string[] {
  const wake = decision.wakeInMs === null ? 'never' : `${decision.wakeInMs / 1000}s`
  return [
    `${clock(world)} ${nameOf(event)} → wake ${wake}`,
    ...decision.writes.filter((write) => write.kind !== 'host').map((write) => `    ${wrote(write)}`),
    ...decision.measures.map(
      ({ analysis, rolloutId, wave }) => `    measure ${rolloutId} ${wave} ${analysis.name}`,
    ),
    ...decision.publishes.map((intent) => {
      const grants = [
        intent.stageUntilMs === null ? '' : ' stage',
        intent.activateUntilMs === null ? '' : ' activate',
      ]
      const deny =
        intent.deny.length === 0 ? '' : ` deny ${intent.deny.map((digest) => digest.slice(7, 10)).join(',')}`
      return `    plan ${intent.hostId} ${intent.rollout}#${intent.attempt} ${intent.image.version}${grants.join('')}${deny}`
    }),
  ]
}

function clock(world: World): string {
  const minutes = Math.floor((world.wallMs - startMs) / 60_000)
  return `[${String(Math.floor(minutes / 60)).padStart(3, '0')}:${String(minutes % 60).padStart(2, '0')}]`
}

function nameOf(event: RolloutEvent | { readonly kind: 'open' }): string {
  switch (event.kind) {
    case 'report':
      return `report ${event.hostId} ${event.report.phase}`
    case 'connection':
      return `${event.connected ? 'connected' : 'disconnected'} ${event.hostId}`
    case 'enrolled':
      return `enrolled ${event.enrolment.hostId}`
    case 'wanted':
      return `wanted ${event.commit}`
    case 'pause':
    case 'resume':
    case 'promote':
    case 'approve':
    case 'abort':
    case 'rollback':
      return `${event.kind} ${event.rolloutId}`
    case 'retry':
      return `retry ${event.rolloutId} ${event.hostId ?? 'every failed host'}`
    case 'resumeHost':
      return `resume host ${event.hostId}`
    case 'measured':
      return `measured ${event.rolloutId} ${event.wave} ${event.analysis} ${event.outcome.kind}`
    case 'deny':
    case 'allow':
      return `${event.kind} ${event.fleet} ${event.digest.slice(7, 10)}`
    case 'halt':
    case 'unhalt':
      return `${event.kind} ${event.fleet ?? 'every fleet'}`
    case 'timer':
    case 'open':
      return event.kind
  }
}

function wrote(write: Write): string {
  switch (write.kind) {
    case 'everyFleet':
      return `every fleet ${write.record.halted === null ? 'goes on' : 'halted'}`
    case 'fleet': {
      const { denied, generation, stable } = write.record
      const denials = denied.map(({ digest, reason }) => ` denied ${digest.slice(7, 10)} (${reason})`)
      return `fleet generation ${generation} stable ${stable?.image.version ?? 'none'}${denials.join('')}`
    }
    case 'grant': {
      const { attempt, direction, hostId, message, phase, rolloutId } = write.record
      return `grant ${rolloutId}#${attempt} ${hostId} ${direction} ${phase}${message === '' ? '' : `: ${message}`}`
    }
    case 'rollout': {
      const { id, state, waves } = write.record
      const cause = state.kind === 'Paused' ? `(${state.cause.kind})` : ''
      return `rollout ${id} ${state.kind}${cause}: ${waves.map((wave) => `${wave.name} ${wave.state}`).join(', ')}`
    }
    case 'host':
      return `host ${write.record.hostId}`
    case 'forgetRollout':
      return `forget ${write.record.rolloutId} with ${write.record.hostIds.length} grants`
  }
}

export function statusOf(world: World): readonly string[] {
  const now = { wallMs: world.wallMs, elapsedMs: 0 }
  return [
    ...describeFleets(world.state, now).map(
      (fleet) =>
        `fleet ${fleet.name} ${fleet.state} ${fleet.hostsUpdated}/${fleet.hostsTotal} updated, ${fleet.hostsHealthy} healthy: ${fleet.message}`,
    ),
    ...describeRollouts(world.state, null, now).flatMap((rollout) => [
      `rollout ${rollout.id} ${rollout.state}: ${rollout.message}`,
      ...rollout.waves.map(
        (wave) =>
          `  wave ${wave.name} ${wave.state} ${wave.hostsSucceeded}+${wave.hostsFailed}+${wave.hostsInProgress}+${wave.hostsSkipped}/${wave.hostsTotal}: ${wave.message}`,
      ),
    ]),
    ...describeHosts(world.state, null, now).map(({ bootedVersion, conditions, message, name, phase }) => {
      const beside = conditions.length === 0 ? '' : ` (${conditions.join(', ')})`
      return `host ${name} ${phase}${beside} ${bootedVersion || 'unknown'}: ${message}`
    }),
  ]
}
