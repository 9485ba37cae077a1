/** Every NATS subject, stream and bucket name that two programs must agree on. */

/** Stream that keeps the last plan of each host. */
export const PLAN_STREAM = 'PLAN'
/** Subjects of {@link PLAN_STREAM}. */
export const PLAN_SUBJECTS = 'plan.*'

/**
 * JetStream KV buckets. `hosts` and `grants` hold one small value per host, `rollouts` and `fleets` one per
 * rollout and fleet, `enrolment` what an operator decided about a host, `control` what holds for every fleet,
 * `lease` the one leader.
 */
export const BUCKETS = {
  fleets: 'fleets',
  rollouts: 'rollouts',
  grants: 'grants',
  hosts: 'hosts',
  enrolment: 'enrolment',
  control: 'control',
  lease: 'lease',
} as const

export type Bucket = (typeof BUCKETS)[keyof typeof BUCKETS]

/** The only key of the control bucket. */
export const EVERY_FLEET_KEY = 'every-fleet'

/** Key of the leader's record in the lease bucket. */
export const LEASE_KEY = 'leader'

/** A host's id: the first 26 characters of lower-case base32 of the SHA-256 of its first public key. */
const HOST_ID = /^[a-z2-7]{26}$/

/** True for ids the controller makes; a host called `*` or `>` would become a wildcard in a subject. */
export function isHostId(text: string): boolean {
  return HOST_ID.test(text)
}

/**
 * Subject that carries one host's plan, last value wins.
 * @throws RangeError when `hostId` is not an id: a subject is never built from unchecked text.
 */
export function planSubject(hostId: string): string {
  if (!isHostId(hostId))
    throw new RangeError(`building a plan subject: ${JSON.stringify(hostId)} is no host id`)
  return `plan.${hostId}`
}

/** Prefix of the subjects on which a NATS user hears answers; no other user may listen there. */
export function inboxOf(user: string): string {
  return `_INBOX.${user}`
}

/** Stream behind a bucket. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`
}
