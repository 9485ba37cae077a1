import { withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Strategy } from '../../controller/desired-state/types.ts'
import { apply, open } from '../../controller/rollout/engine.ts'
import type { RolloutEngineState } from '../../controller/rollout/engine.ts'
import type { HostReport } from '../../controller/rollout/report.ts'
import type { RolloutEvent } from '../../controller/rollout/events.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { imageOf } from '../support/rollout-agent.ts'

/** The engine with a fleet of simulated hosts; the clock stands still unless a bench moves it. */
export type Fleet = { state: RolloutEngineState; readonly now: { wallMs: number; elapsedMs: number } }

const startMs = Date.UTC(2026, 0, 1)

export function report(changes: Partial<HostReport> = {}): HostReport {
  const { digest, manifests } = imageOf('0.0.0')
  return {
    plan: null,
    phase: 'Idle',
    bootedDigest: digest,
    bootedManifestDigest: manifests['amd64'] ?? null,
    bootedVersion: '',
    defaultDigest: null,
    targetDigest: null,
    bootId: 'boot-1',
    health: { verdict: 'Passed', failedChecks: [] },
    failure: null,
    architecture: 'amd64',
    deniedDigests: [],
    etcConflicts: [],
    phaseEnteredAtMs: 0,
    ...changes,
  }
}

/** Three waves, a budget for each of a hundred sites, and as many downloads as hosts may have. */
export function strategy(): Strategy {
  return {
    ...withDefaults('bench', {}),
    budgets: [{ topologyKey: 'site', maxUnavailable: { kind: 'percent', percent: 10 } }],
  }
}

export function wanted(version: string): Extract<RolloutEvent, { readonly kind: 'wanted' }> {
  const fleet: WantedFleet = {
    name: 'edge',
    selector: { kind: 'match', labels: { fleet: 'edge' }, expressions: [] },
    strategy: strategy(),
    suspend: false,
    revision: `rev-${version}`,
    image: imageOf(version),
    follows: null,
    pins: [],
    requires: [],
    downgrade: 'Deny',
    deny: [],
  }
  return { kind: 'wanted', commit: `commit-${version}`, fleets: [fleet], hosts: [], freezes: [] }
}

/** Hosts that are enrolled, reported once and are connected; nothing is wanted of them yet. */
export function openFleet(count: number): Fleet {
  const said = report()
  const hosts = Array.from({ length: count }, (_, index) => {
    return { hostId: `host-${index}`, report: said, receivedAtMs: startMs }
  })
  const enrolments = hosts.map(({ hostId }, index) => {
    const labels = { fleet: 'edge', site: `site-${index % 100}` }
    return { hostId, name: hostId, labels, enrolledAtMs: startMs - 1 }
  })
  const now = { wallMs: startMs, elapsedMs: 0 }
  const { state } = open({ everyFleet: null, fleets: [], rollouts: [], grants: [], hosts, enrolments }, now)
  const fleet = { state, now }
  for (const { hostId } of hosts) send(fleet, connection(hostId, true))
  return fleet
}

export function connection(hostId: string, connected: boolean): RolloutEvent {
  return { kind: 'connection', hostId, connected }
}

export type Sent = { readonly calls: number; readonly totalMs: number; readonly longestMs: number }

/**
 * Applies one event, and then what it asks to be called for at once. A call blocks no longer than it takes by the
 * clock, nor, where other programs use the processor too, than it computes.
 */
export function send(fleet: Fleet, event: RolloutEvent): Sent {
  let [calls, totalMs, longestMs] = [0, 0, 0]
  let wakeInMs: number | null = 0
  for (let next = event; wakeInMs === 0; next = { kind: 'timer' }) {
    const [startedMs, cpu] = [performance.now(), process.cpuUsage()]
    const step: ReturnType<typeof apply> = apply(fleet.state, next, fleet.now)
    const { system, user } = process.cpuUsage(cpu)
    const tookMs = Math.min(performance.now() - startedMs, (system + user) / 1000)
    longestMs = Math.max(longestMs, tookMs)
    totalMs += tookMs
    calls += 1
    fleet.state = step.state
    wakeInMs = step.decision.wakeInMs
  }
  return { calls, totalMs, longestMs }
}
