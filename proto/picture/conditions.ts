import type { HostStatus } from '../gen/bootfleet/v1/operator_pb.ts'

/** Of a host, whatever it does in a rollout: "it is not connected". */
export const conditionWords = {
  ReportOnly: 'only reports what it runs, and is never updated',
  Unreachable: 'is not connected',
  Revoked: 'is shut out',
  Pinned: 'is pinned to a digest in git',
  Held: 'is held in git',
  Drifted: 'no longer runs what it was given',
  'Drifted(local)': 'boots what a person on it chose, and is left so',
  MultipleOwners: 'is selected by several fleets, and none acts',
  NoFleet: 'is selected by no fleet',
  PlansStale: 'has heard no new plan for too long',
} as const

/** A controller that is newer may have a condition that is not known here. */
function isKnown(name: string): name is keyof typeof conditionWords {
  return Object.hasOwn(conditionWords, name)
}

/** In words, without the one that the host's message is about. */
export function conditionsBesideMessage({
  conditions,
  reason,
}: Pick<HostStatus, 'conditions' | 'reason'>): readonly string[] {
  return conditions
    .filter((name) => name !== reason)
    .map((name) => (isKnown(name) ? conditionWords[name] : name))
}

/** Each by its name, as documents have it, and in words. */
export function conditionsNamed({ conditions }: Pick<HostStatus, 'conditions'>): string {
  return conditions.map((name) => (isKnown(name) ? `${name} (${conditionWords[name]})` : name)).join('; ')
}
