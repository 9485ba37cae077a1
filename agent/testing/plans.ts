import { createHash } from 'node:crypto'
import type { Plan } from '../../proto/plan.ts'

export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** A plan that grants everything for an hour. */
export function planFor(hostId: string, version: string, changes: Partial<Plan> = {}): Plan {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString()
  return {
    version: 1,
    hostId,
    fleet: 'edge',
    rollout: `edge-${version}`,
    generation: 1,
    attempt: 1,
    term: 1,
    counter: 1,
    issuedAt: at(0),
    expiresAt: at(3_600_000),
    image: {
      repository: 'registry.example:5000/os/edge',
      digest: digestOf(version),
      manifestDigest: digestOf(version),
      version,
    },
    stage: { until: at(3_600_000) },
    activate: { until: at(3_600_000) },
    health: {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: false,
      stableForMs: 0,
      deadlineMs: 2_000,
    },
    limits: { maxReboots: 3, maxBytes: 1e9 },
    deny: [],
    source: { commit: 'abc' },
    ...changes,
  }
}
