/** What `get` lists; apart, since the program's options need no client to know it. */
export const objectTypes = [
  'hosts',
  'fleets',
  'rollouts',
  'waves',
  'sources',
  'requests',
  'host',
  'fleet',
  'rollout',
  'wave',
  'source',
  'request',
] as const
export type ObjectType = (typeof objectTypes)[number]
