import { open } from '../../controller/rollout/engine.ts'
import type { RolloutEngineState } from '../../controller/rollout/state.ts'
import type { Records } from '../../controller/rollout/records.ts'
import { Enrolment, Host } from '../../controller/store/stored-hosts.ts'
import { EveryFleet, Fleet } from '../../controller/store/stored-fleets.ts'
import { Grant } from '../../controller/store/stored-grants.ts'
import { Rollout } from '../../controller/store/stored-rollouts.ts'

type Fields = Readonly<Record<string, unknown>>

export const digestOf = (digit: string): string => `sha256:${digit.repeat(64)}`
export const imageOf = (digit: string): Fields => ({
  repository: 'registry.example/os/edge',
  digest: digestOf(digit),
  version: `${digit}.0.0`,
  manifests: { amd64: digestOf(digit) },
})

const wave = {
  name: 'canary',
  state: 'Running',
  size: 1,
  lastOrderKey: '~',
  soakMs: 0,
  soakedMs: 0,
  ranMs: 0,
}
const limit = { failureLimit: { max: { kind: 'count', count: 0 }, minAttempted: 1 }, onFailure: 'Pause' }

/**
 * The engine over records as the store holds them, of one fleet `edge` with rollout `edge.1` of image 1: written in
 * full only where a test says so, since the schema knows what else is in a record.
 */
export function openRecords(of: {
  readonly fleet?: Fields
  readonly rollout?: Fields
  readonly waves?: readonly Fields[]
  readonly strategy?: Fields
  readonly grants?: readonly Fields[]
  /** Reports of hosts, by their names, which are their ids too. */
  readonly hosts?: Readonly<Record<string, Fields>>
  readonly everyFleet?: Fields
}): RolloutEngineState {
  const names = Object.keys(of.hosts ?? {})
  const records: Records = {
    fleets: [
      Fleet.parse({
        fleet: 'edge',
        generation: 1,
        stable: null,
        denied: [],
        rolloutId: 'edge.1',
        ...of.fleet,
      }),
    ],
    rollouts: [Rollout.parse({ ...rolloutFields(of.waves ?? [{}], of.strategy ?? {}), ...of.rollout })],
    grants: (of.grants ?? []).map((grant) => Grant.parse({ ...grantFields, ...grant })),
    hosts: names.map((hostId) =>
      Host.parse({ hostId, receivedAtMs: 900, report: { ...reportFields, ...of.hosts?.[hostId] } }),
    ),
    enrolments: names.map((hostId) =>
      Enrolment.parse({ hostId, name: `till-${hostId}`, labels: {}, enrolledAtMs: 1 }),
    ),
    everyFleet: of.everyFleet === undefined ? null : EveryFleet.parse({ log: [], ...of.everyFleet }),
  }
  return open(records, { wallMs: 1_000, elapsedMs: 0 }).state
}

function rolloutFields(waves: readonly Fields[], strategy: Fields): Fields {
  return {
    id: 'edge.1',
    fleet: 'edge',
    generation: 1,
    revision: 'r1',
    commit: 'c1',
    image: imageOf('1'),
    from: null,
    startedAtMs: 100,
    populationSize: 1,
    strategy: {
      maxUnavailable: { kind: 'count', count: 1 },
      deadlines: { downloadMs: 60_000, activateMs: 60_000, healthMs: 60_000, waveMs: 60_000 },
      health: { checks: [], stableForMs: 0 },
      ...strategy,
    },
    waves: waves.map((each) => ({ ...wave, ...limit, ...each })),
    state: { kind: 'Progressing' },
    term: 1,
  }
}

const grantFields = {
  rolloutId: 'edge.1',
  hostId: 'a',
  generation: 1,
  attempt: 1,
  direction: 'Forward',
  stageUntilMs: null,
  activateUntilMs: null,
  bootIdBefore: 'boot-0',
  endBy: null,
  phase: 'Succeeded',
  message: '',
  grantedAtMs: 200,
  endedAtMs: 300,
}

const reportFields = {
  plan: null,
  phase: 'Idle',
  bootedDigest: digestOf('1'),
  bootedManifestDigest: digestOf('1'),
  targetDigest: null,
  bootId: 'boot-1',
  health: { verdict: 'Passed', failedChecks: [] },
  failure: null,
  architecture: 'amd64',
  deniedDigests: [],
  phaseEnteredAtMs: 250,
}
