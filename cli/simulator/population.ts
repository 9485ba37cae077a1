import { matchesSelector } from '../../controller/desired-state/label-selector.ts'
import { nowOf } from './controller.ts'
import type { World } from './world-model.ts'

/** Those of the enrolment, with what git declares of the host on top. */
export function labelsOf(world: World, hostId: string): Readonly<Record<string, string>> {
  const { store, wanted } = world.controller
  const enrolment = store.enrolments.get(hostId)
  const declared = wanted?.hosts.find(({ name }) => name === enrolment?.name)
  return { ...enrolment?.labels, ...declared?.labels }
}

/** Wanted fleets that select the host; it belongs to one only when it is the only one. */
export function ownersOf(world: World, hostId: string): readonly string[] {
  const labels = labelsOf(world, hostId)
  const fleets = world.controller.wanted?.fleets ?? []
  return fleets.filter(({ selector }) => matchesSelector(selector, labels)).map(({ name }) => name)
}

/** A person on it chose what it boots, as far as the controller heard, and nobody let it go on since. */
export function isChosenByHand({ controller: { store } }: World, hostId: string): boolean {
  const { report, resumed } = store.hosts.get(hostId) ?? {}
  const moveId = report?.localMove?.id
  return moveId !== undefined && moveId !== resumed?.moveId
}

/** Pinned, held or without a way back: no wave waits for it. */
export function isApart(world: World, hostId: string): boolean {
  if (isChosenByHand(world, hostId)) return true
  const { controller, office } = world
  const name = controller.store.enrolments.get(hostId)?.name
  const declared = controller.wanted?.hosts.find((host) => host.name === name)
  const isUnguarded = controller.store.hosts.get(hostId)?.report.unguarded === true
  if (isUnguarded && declared?.allowUnguardedBoot !== true) return true
  if (declared === undefined) return false
  const { hold, pin } = declared
  return pin !== null || (hold !== null && (hold.untilMs ?? Infinity) > nowOf(controller, office).wallMs)
}

export function fleetNameOf(rolloutId: string): string {
  return rolloutId.slice(0, rolloutId.lastIndexOf('.'))
}
