/**
 * What a key of a trust bundle may do. `root` signs bundles, `director` plans, `release` images, `approver` approvals.
 * A key has one role, so that no two of them can be stolen at once. Without a release key no image needs a signature.
 * Apart from the bundle, so that a command line names them without loading what reads bundles.
 */
export const TRUST_ROLES = ['root', 'director', 'release', 'approver'] as const
export type TrustRole = (typeof TRUST_ROLES)[number]
