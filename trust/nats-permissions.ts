import type { UserPermissionsLimits } from '@nats-io/jwt'
import { BUCKETS, PLAN_STREAM, PLAN_SUBJECTS, bucketStream, inboxOf } from '../proto/subjects.ts'

/** Who may be made by a scoped signing key; what each may do is all that follows here, and nothing else. */
export const NATS_ROLES = ['host', 'controller', 'provisioner'] as const
export type NatsRole = (typeof NATS_ROLES)[number]

/** What a host asks for its own last plan; the server puts the user's name in. */
export const PLAN_GET_SUBJECTS = `$JS.API.DIRECT.GET.${PLAN_STREAM}.${PLAN_SUBJECTS}`

const HOST_PAYLOAD_MAX_BYTES = 1024
const HOST_SUBSCRIPTIONS_MAX = 10
const UNLIMITED = -1

/** The buckets from which the controller erases rollouts that it forgets. */
const ERASED: readonly string[] = [BUCKETS.grants, BUCKETS.rollouts]

/** Allow-lists only: a server's deny-lists have been got round by wildcards and queues. */
export function permissionsOf(role: NatsRole): Partial<UserPermissionsLimits> {
  switch (role) {
    case 'host':
      return hostPermissions()
    case 'controller':
      return unlimited(controllerSubjects(), inboxOf('controller'))
    case 'provisioner':
      return unlimited(provisionerSubjects(), inboxOf('provisioner'))
  }
}

/** No wildcard but the host's own inbox. Whole tokens alone are replaced by every server version. */
function hostPermissions(): Partial<UserPermissionsLimits> {
  const own = PLAN_SUBJECTS.replace('*', '{{name()}}')
  return {
    ...limits(HOST_SUBSCRIPTIONS_MAX, HOST_PAYLOAD_MAX_BYTES),
    pub: { allow: [PLAN_GET_SUBJECTS.replace(PLAN_SUBJECTS, own)] },
    sub: { allow: [own, `${inboxOf('{{name()}}')}.>`] },
  }
}

function controllerSubjects(): readonly string[] {
  const buckets = Object.values(BUCKETS)
  return [
    PLAN_SUBJECTS,
    '$SYS.REQ.USER.INFO',
    '$JS.API.INFO',
    ...buckets.map((bucket) => `$KV.${bucket}.>`),
    ...streamNames().flatMap((stream) => [
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.STREAM.MSG.GET.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.>`,
      `$JS.API.CONSUMER.INFO.${stream}.*`,
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
      `$JS.API.CONSUMER.DELETE.${stream}.*`,
    ]),
    ...ERASED.map((bucket) => `$JS.API.STREAM.PURGE.${bucketStream(bucket)}`),
  ]
}

/** Makes what is missing; it can neither read what is stored nor write, empty or delete it. */
function provisionerSubjects(): readonly string[] {
  return [
    '$SYS.REQ.USER.INFO',
    '$JS.API.INFO',
    ...streamNames().flatMap((stream) => [
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.STREAM.CREATE.${stream}`,
    ]),
  ]
}

function streamNames(): readonly string[] {
  return [PLAN_STREAM, ...Object.values(BUCKETS).map(bucketStream)]
}

function unlimited(allow: readonly string[], inbox: string): Partial<UserPermissionsLimits> {
  return {
    ...limits(UNLIMITED, UNLIMITED),
    pub: { allow: [...allow] },
    sub: { allow: [`${inbox}.>`] },
  }
}

/** No response permission: with one, a host could answer in the server's place to whoever published its plan. */
function limits(subs: number, payload: number): Partial<UserPermissionsLimits> {
  return { subs, payload, data: UNLIMITED, bearer_token: false, allowed_connection_types: ['STANDARD'] }
}
