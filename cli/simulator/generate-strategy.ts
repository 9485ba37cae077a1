import type {
  Amount,
  Analysis,
  Strategy,
  Wave,
  Weekday,
  Window,
} from '../../controller/desired-state/types.ts'
import { between, pick } from './random.ts'
import type { Random } from './random.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

export function randomStrategy(random: Random, name: string): Strategy {
  const max: Amount = pick<Amount>(random, [
    { kind: 'count', count: 0 },
    { kind: 'count', count: 1 },
    { kind: 'percent', percent: 10 },
    { kind: 'percent', percent: 40 },
  ])
  return {
    name,
    waves: randomWaves(random),
    maxUnavailable: randomAmount(random),
    failureLimit: {
      firstWave: { max, minAttempted: 1 },
      later: { max, minAttempted: between(random, 1, 3) },
    },
    onFailure: { firstWave: pick(random, ['Pause', 'Rollback']), later: pick(random, ['Pause', 'Rollback']) },
    deadlines: {
      downloadMs: pick(random, [15, 60, 120]) * minuteMs,
      activateMs: 20 * minuteMs,
      healthMs: 10 * minuteMs,
      waveMs: pick(random, [4, 24]) * hourMs,
    },
    health: {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: random() < 0.5,
      stableForMs: pick(random, [0, 2]) * minuteMs,
    },
    analysis: random() < 0.2 ? [randomAnalysis(random)] : [],
    rate:
      random() < 0.2
        ? { basePerMinute: between(random, 1, 4), factor: 2, maxPerMinute: between(random, 4, 40) }
        : null,
    rollback: {
      scope: pick(random, ['UpdatedHosts', 'UpdatedHosts', 'FailedOnly']),
      maxUnavailable: randomAmount(random),
      windows: pick(random, ['Respect', 'Ignore']),
    },
    budgets: random() < 0.25 ? [{ topologyKey: 'rack', maxUnavailable: pick(random, budgets) }] : [],
    downloads: { maxConcurrent: pick(random, [50, 50, 3]), prefetch: pick(random, ['NextWave', 'None']) },
    windows: random() < 0.3 ? randomWindows(random) : [],
    retry: {
      limit: pick(random, [0, 2]),
      on: ['Download', 'Stage'],
      backoff: { baseMs: minuteMs, factor: 2, maxMs: 30 * minuteMs },
    },
  }
}

const budgets: readonly Amount[] = [
  { kind: 'count', count: 1 },
  { kind: 'percent', percent: 30 },
]

function randomAnalysis(random: Random): Analysis {
  return {
    name: 'errors',
    provider: { kind: 'named', check: 'errors' },
    intervalMs: pick(random, [1, 5]) * minuteMs,
    failureLimit: between(random, 0, 2),
  }
}

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'UTC',
  'America/Sao_Paulo',
]
const everyDay: readonly Weekday[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** Long enough for an activation by its deadlines, and often enough that every rollout can end. */
function randomWindows(random: Random): readonly Window[] {
  const allow: Window = {
    kind: 'Allow',
    days: random() < 0.6 ? everyDay : everyDay.filter((_, index) => index % 2 === 0),
    startMinute: pick(random, [60, 120, 150, 1320, 1430, between(random, 0, 1439)]),
    durationMs: between(random, 90, 480) * minuteMs,
    timeZone: pick(random, zones),
    actions: pick<Window['actions']>(random, [['Activate'], ['Activate'], ['Download', 'Activate']]),
  }
  const deny: Window = {
    kind: 'Deny',
    days: [pick(random, everyDay)],
    startMinute: between(random, 0, 1439),
    durationMs: between(random, 30, 600) * minuteMs,
    timeZone: pick(random, zones),
    actions: ['Activate'],
  }
  return pick(random, [[allow], [deny], [allow, deny]])
}

function randomAmount(random: Random): Amount {
  return random() < 0.5
    ? { kind: 'count', count: between(random, 1, 6) }
    : { kind: 'percent', percent: between(random, 1, 100) }
}

function randomWaves(random: Random): readonly Wave[] {
  const written = Array.from({ length: between(random, 0, 3) }, (_, index) => randomWave(random, index))
  return [...written, restOfThem]
}

function randomWave(random: Random, index: number): Wave {
  return {
    name: `w${index}`,
    upTo: randomAmount(random),
    selector:
      random() < 0.15
        ? { kind: 'match', labels: { rack: `r${between(random, 0, 3)}` }, expressions: [] }
        : null,
    soakMs: pick(random, [0, 0, 10 * minuteMs, 2 * hourMs]),
    successThresholdPercent: pick(random, [0, 0, 50, 100]),
    maxSkippedPercent: pick(random, [100, 100, 20]),
    onEmpty: pick(random, ['Skip', 'Skip', 'Block']),
    approval:
      random() < 0.1 ? { approvers: 1, expiresAfterMs: pick(random, [hourMs / 2, 72 * hourMs]) } : null,
  }
}

const restOfThem: Wave = {
  name: 'rest',
  upTo: { kind: 'percent', percent: 100 },
  selector: null,
  soakMs: 0,
  successThresholdPercent: 0,
  maxSkippedPercent: 100,
  onEmpty: 'Skip',
  approval: null,
}
