import { ControllerError } from '../errors.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from '../rollout/state.ts'

const SHOWN_MAX = 300

export type FoundRollout = { readonly fleet: Fleet; readonly rollout: Rollout }

/**
 * The rollout that an operator means: one by its id, or the current one of a fleet by name.
 * @throws ControllerError NotFound.
 */
export function findRollout(state: RolloutEngineState, target: string): FoundRollout {
  const named = state.fleets.get(target)
  const rollout = state.rollouts.get(named?.record.rolloutId ?? target)
  const fleet = rollout && state.fleets.get(rollout.record.fleet)
  if (rollout !== undefined && fleet !== undefined) return { fleet, rollout }
  const found = named === undefined ? 'there is no such fleet or rollout' : 'the fleet has no rollout yet'
  return missing(target, found, 'rollouts')
}

/** @throws ControllerError NotFound. */
export function findFleet(state: RolloutEngineState, name: string): Fleet {
  return state.fleets.get(name) ?? missing(name, 'there is no such fleet', 'fleets')
}

/**
 * By name, else by id: names are what people write.
 * @throws ControllerError NotFound.
 */
export function findHost(state: RolloutEngineState, nameOrId: string): Host {
  for (const host of state.hosts.values()) if (host.enrolment?.name === nameOrId) return host
  return state.hosts.get(nameOrId) ?? missing(nameOrId, 'there is no such host', 'hosts')
}

function missing(what: string, found: string, kind: 'fleets' | 'hosts' | 'rollouts'): never {
  throw new ControllerError(
    'NotFound',
    `looking for ${JSON.stringify(what.slice(0, SHOWN_MAX))}: ${found}; "bootfleet get ${kind}" lists what there is`,
  )
}
