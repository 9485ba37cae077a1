import type { HostReport } from '../../controller/rollout/report.ts'
import { imageOf, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { dispatch } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

/** What such a host says: it has no plan, and nothing to do. */
export const idle: Partial<HostReport> = { plan: null, phase: 'Idle', bootedDigest: null }

const nobody: SimulatedAgent = {
  hostId: '',
  architecture: 'amd64',
  refuses: new Set(),
  behaviour: 'good',
  plan: null,
  phase: 'Idle',
  digest: imageOf('0.0.0').digest,
  before: imageOf('0.0.0').digest,
  boots: 1,
  checked: true,
  ill: false,
  undecided: false,
  failing: null,
}

/** Enrolled, and heard for the first time with this; no agent of the world moves for it. */
export function enrolReporting(world: World, name: string, report: Partial<HostReport>): void {
  const enrolment = { hostId: name, name, labels: {}, enrolledAtMs: world.wallMs }
  dispatch(world, { kind: 'enrolled', enrolment })
  dispatch(world, { kind: 'connection', hostId: name, connected: true })
  const whole = { ...reportOf({ ...nobody, hostId: name }), ...idle, ...report }
  dispatch(world, { kind: 'report', hostId: name, report: whole })
}
