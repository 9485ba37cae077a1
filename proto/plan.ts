import * as z from 'zod'
import { KERNEL_ARGUMENTS_MAX, KERNEL_ARGUMENT_MAX_LENGTH } from './kernel-arguments.ts'
import { PlanSignatures } from './plan-signature.ts'

/** `sha256:` and 64 lower-case hex digits. */
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
/** A permit, in its envelope, has no more characters. */
export const PERMIT_MAX_BYTES = 4 * 1024
/** With everything else at its largest a plan must still be one that is signed. */
export const PLAN_PERMITS_MAX = 2
const Instant = z.iso.datetime({ precision: 3 })
/** Absolute times bound grants, so that a plan that arrives late grants nothing. */
const Until = z.strictObject({ until: Instant })
/** Host, port and path only: neither user and password nor fragment fit in. */
const HealthUrl = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?][!"$-~]*)?$/)

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
    /** systemd units of the booted image that must be active. */
    units: z
      .array(z.string().regex(/^[A-Za-z0-9:_.@\\-]{1,255}\.(?:service|socket|target|mount|timer|path)$/))
      .max(64),
    /** Addresses that must answer with a status from 200 to 399. */
    http: z.array(z.strictObject({ url: HealthUrl })).max(16),
    /** Names of programs in the booted image under /usr/lib/bootfleet/checks; never a command line. */
    checks: z.array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)).max(64),
    /** Also the scripts in greenboot's directories, where the image has them. */
    greenboot: z.boolean(),
    /** Also one of controller, NATS and registry must be reachable. */
    reachController: z.boolean(),
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
  /** Digests that the host may run after all, although it fell back from them or was told never to run them. */
  allow: z.array(Digest).max(64).optional(),
  /** Check the image before deploying it, and refuse (Enforce) or tell of (Warn) one that is unfit; absent: neither. */
  lint: z.enum(['Enforce', 'Warn']).optional(),
  /** Release signatures over `image.digest`, so that a host needs nothing else to verify them; absent: none. */
  signatures: PlanSignatures.optional(),
  /** Permits of the approvers, each an envelope of its own; absent: none. See permit.ts. */
  permits: z.array(z.string().max(PERMIT_MAX_BYTES)).max(PLAN_PERMITS_MAX).optional(),
  /** A host on which a person chose what boots takes no step until this names that very choice; absent: none. */
  resumed: z.string().min(1).max(64).optional(),
  /** For the kernel's line of what the plan deploys, beside the image's and the machine's own; absent: none. */
  kernelArguments: z.array(z.string().max(KERNEL_ARGUMENT_MAX_LENGTH)).max(KERNEL_ARGUMENTS_MAX).optional(),
  source: z.strictObject({ commit: z.string().max(64) }),
})
export type Plan = z.infer<typeof Plan>
