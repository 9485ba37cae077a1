import * as z from 'zod'

/** `sha256:` and 64 lower-case hex digits. */
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const Instant = z.iso.datetime({ precision: 3 })
/** Absolute times bound grants, so that a plan that arrives late grants nothing. */
const Until = z.strictObject({ until: Instant })

/**
 * The document that tells one host what to run and how far it may go. Signed as DSSE over exactly these bytes
 * of JSON (see envelope.ts). A plan replaces the one before it whole: a grant it does not repeat is withdrawn.
 */
export const Plan = z.strictObject({
  version: z.literal(1),
  hostId: z.string(),
  fleet: z.string().min(1).max(253),
  /** Id of the rollout that this step belongs to. */
  rollout: z.string().min(1).max(128),
  /** Grows with every rollout of the fleet; an older one is refused. */
  generation: z.int().nonnegative(),
  /** From 1; a retry is a new attempt. */
  attempt: z.int().positive(),
  /** Term of the leader that signed; an older one is refused. */
  term: z.int().nonnegative(),
  /** Per host, strictly growing. Never a store revision. */
  counter: z.int().positive(),
  issuedAt: Instant,
  expiresAt: Instant,
  image: z.strictObject({
    repository: z.string().min(1).max(512),
    /** What git or the tag named: an index or a manifest. Shown to people. */
    digest: Digest,
    /** The manifest of the host's architecture: what evidence compares. */
    manifestDigest: Digest,
    /** For people; empty when the image says none. */
    version: z.string().max(128),
  }),
  /** Permission to pull and deploy; null: not (or no longer) granted. */
  stage: Until.nullable(),
  /** Permission to start the activation; null: not (or no longer) granted. Void after the commit point. */
  activate: Until.nullable(),
  health: z.strictObject({
    /** Names of programs in the booted image under /usr/lib/bootfleet/checks; never a command line. */
    checks: z.array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)).max(64),
    stableForMs: z.int().nonnegative(),
    /** From boot to verdict; past it the verdict is Failed. */
    deadlineMs: z.int().positive(),
  }),
  limits: z.strictObject({
    /** Boots that this attempt may take, fallback included. */
    maxReboots: z.int().positive().max(16),
    /** Upper bound on what the pull may download. */
    maxBytes: z.int().positive(),
  }),
  /** Digests this fleet must never run; kept by the host across plans. */
  deny: z.array(Digest).max(256),
  source: z.strictObject({ commit: z.string().max(64) }),
})
export type Plan = z.infer<typeof Plan>
