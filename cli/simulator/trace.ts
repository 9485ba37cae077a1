import type { FleetRecord, GrantRecord, RolloutRecord } from '../../controller/rollout/records.ts'
import type { Write } from '../../controller/rollout/decision.ts'
import type { Cause } from './controller.ts'
import { quietWatch } from './world-model.ts'
import type { Watch, World } from './world-model.ts'

/** A line for everything that somebody does, and one for every step that is decided; newest last, so many at most. */
export function tracing(lines: string[], linesMax: number): Watch {
  const say = (world: World, line: string): void => {
    lines.push(`${clock(world.elapsedMs)}  ${line}`)
    if (lines.length > 2 * linesMax) lines.splice(0, linesMax)
  }
  return {
    ...quietWatch,
    onHappening: (world, what) => say(world, what),
    onDecision: (world, cause, decision) => {
      const known = world.controller.store.rollouts
      const written = decision.writes.flatMap((write) => wordsOf(write, known) ?? [])
      if (written.length > 0) say(world, `${causeOf(cause)}: ${written.join('; ')}`)
    },
    onBooted: (world, { machine, spec }) => {
      const image = world.scenario.images.find(({ image: { digest } }) => {
        return digest === machine.deployments.get(machine.current)?.digest
      })
      say(world, `${spec.id} boots ${image?.image.version ?? machine.current}`)
    },
  }
}

const secondMs = 1_000

/** Days and time of the day since the beginning. */
export function clock(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / secondMs)
  const two = (count: number): string => String(count).padStart(2, '0')
  const day = Math.floor(seconds / 86_400)
  return `${day}d ${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

function causeOf(cause: Cause): string {
  if (cause.kind === 'report') return `${cause.hostId} says ${cause.report.phase}`
  if (cause.kind === 'connection') return `${cause.hostId} ${cause.connected ? 'connects' : 'is gone'}`
  if (cause.kind === 'enrolled') return `${cause.enrolment.hostId} enrols`
  return cause.kind
}

/** Null: nothing that a reader of the trace misses. */
function wordsOf(write: Write, known: World['controller']['store']['rollouts']): string | null {
  switch (write.kind) {
    case 'grant':
      return grantWords(write.record)
    case 'rollout':
      return rolloutWords(write.record, known.get(write.record.id))
    case 'fleet':
      return fleetWords(write.record)
    case 'everyFleet':
      return `every fleet ${write.record.halted === null ? 'goes on' : 'is halted'}`
    case 'forgetRollout':
      return `forget ${write.record.rolloutId}`
    case 'host':
      return null
  }
}

function grantWords(grant: GrantRecord): string {
  const { activateUntilMs, attempt, direction, hostId, message, phase, rolloutId } = grant
  const back = direction === 'Back' ? ' back' : ''
  const leave = phase === 'Staged' && activateUntilMs !== null ? ' (may activate)' : ''
  return `${rolloutId}#${attempt} ${hostId}${back} ${phase}${leave}${message === '' ? '' : `: ${message}`}`
}

function rolloutWords(record: RolloutRecord, before: RolloutRecord | undefined): string | null {
  if (before !== undefined && shapeOf(before) === shapeOf(record)) return null
  return `rollout ${record.id} of ${record.image.version} ${shapeOf(record)}`
}

function shapeOf({ state, waves }: RolloutRecord): string {
  const cause = state.kind === 'Paused' ? `(${state.cause.kind})` : ''
  return `${state.kind}${cause}: ${waves.map((wave) => `${wave.name} ${wave.state}`).join(', ')}`
}

function fleetWords({ denied, fleet, generation, stable }: FleetRecord): string {
  const not = denied.map(({ digest }) => ` denied ${digest.slice(0, 19)}`)
  return `fleet ${fleet} generation ${generation} stable ${stable?.image.version ?? 'none'}${not.join('')}`
}
