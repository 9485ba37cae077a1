import type { Plan } from '../../proto/plan.ts'
import type { PlanIntent } from '../rollout/decision.ts'

/** Boots one attempt may take: the activation, two tries of its boot entry, and the fallback. */
const REBOOTS_MAX = 4

export type PlanStamp = {
  readonly counter: number
  readonly term: number
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  readonly maxBytes: number
}

export function planOf(intent: PlanIntent, stamp: PlanStamp): Plan {
  return {
    version: 1,
    hostId: intent.hostId,
    fleet: intent.fleet,
    rollout: intent.rollout,
    generation: intent.generation,
    attempt: intent.attempt,
    term: stamp.term,
    counter: stamp.counter,
    issuedAt: instant(stamp.issuedAtMs),
    expiresAt: instant(stamp.expiresAtMs),
    image: {
      repository: intent.image.repository,
      digest: intent.image.digest,
      manifestDigest: intent.image.manifestDigest,
      version: intent.image.version.slice(0, 128),
    },
    stage: until(intent.stageUntilMs),
    activate: until(intent.activateUntilMs),
    health: {
      units: [...intent.health.units],
      http: intent.health.http.map(({ url }) => ({ url })),
      checks: [...intent.health.checks],
      greenboot: intent.health.greenboot,
      reachController: intent.health.reachController,
      stableForMs: intent.health.stableForMs,
      deadlineMs: intent.health.deadlineMs,
    },
    limits: { maxReboots: REBOOTS_MAX, maxBytes: stamp.maxBytes },
    deny: [...intent.deny],
    // Left out where there is none: an agent from before it was known refuses what it does not know.
    ...(intent.allow.length === 0 ? {} : { allow: [...intent.allow] }),
    ...(intent.lint === 'Off' ? {} : { lint: intent.lint }),
    ...(intent.image.signatures !== undefined && { signatures: [...intent.image.signatures] }),
    ...(intent.kernelArguments !== undefined && { kernelArguments: [...intent.kernelArguments] }),
    ...(intent.permits !== undefined && { permits: [...intent.permits] }),
    ...(intent.resumed !== undefined && { resumed: intent.resumed }),
    source: { commit: intent.commit },
  }
}

/** What a plan tells its host apart from when and by whom it was signed: equal texts need no new plan. */
export function sameForHost(plan: Plan): string {
  const { term: _term, counter: _counter, issuedAt: _issuedAt, expiresAt: _expiresAt, ...content } = plan
  return JSON.stringify(content)
}

function until(timeMs: number | null): { readonly until: string } | null {
  return timeMs === null ? null : { until: instant(timeMs) }
}

function instant(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
