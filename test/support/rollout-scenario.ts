import { parseAmount } from '../../controller/desired-state/amount.ts'
import { parseDuration } from '../../controller/desired-state/duration.ts'
import type { Amount, Strategy } from '../../controller/desired-state/types.ts'
import type { HostReport, WantedFleet } from '../../controller/rollout/types.ts'
import { imageOf, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { statusOf, traceOf } from './rollout-trace.ts'
import {
  connect,
  dispatch,
  enrol,
  fallIll,
  move,
  newWorld,
  pass,
  restart,
  settleAll,
  silence,
  want,
} from './rollout-world.ts'
import type { World } from './rollout-world.ts'

type Scene = {
  readonly world: World
  readonly lines: string[]
  strategy: Strategy
  readonly fleets: Map<string, WantedFleet>
  commits: number
}

/** Lines that begin with `$` are commands, `#` comments; everything else is written anew: what was decided. */
export function runScenario(text: string): string {
  const lines: string[] = []
  let saved = ''
  const world = newWorld((event, decision) => {
    const trace = traceOf(world, event, decision)
    const said = trace.slice(1).join('\n')
    if (event.kind === 'timer' && said === saved) return
    saved = decision.writes.length === 1 && decision.writes[0]?.kind === 'rollout' ? said : saved
    lines.push(...trace)
  })
  const scene: Scene = { world, lines, strategy: strategyOf({}), fleets: new Map(), commits: 0 }
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) lines.push(line)
    if (!line.startsWith('$')) continue
    lines.push('', line)
    const [verb = '', ...words] = line.slice(1).trim().split(/\s+/)
    const command = commands[verb]
    if (command === undefined) throw new Error(`unknown command ${verb}`)
    command(scene, words)
  }
  return `${lines.join('\n').trim()}\n`
}

function strategyOf(options: Readonly<Record<string, string>>): Strategy {
  const amount = (value: string): Amount => parseAmount(/^\d+$/.test(value) ? Number(value) : value) as Amount
  const time = (value: string): number => parseDuration(value) ?? 0
  const max = options['failures']
  const onFailure = options['onFailure'] as 'Pause' | 'Rollback' | undefined
  return {
    name: 'test',
    waves: (options['waves'] ?? 'canary:1,tenth:40%,rest:100%').split(',').map((written) => {
      const [name = '', upTo = '', soak = '0s'] = written.split(':')
      return { name, upTo: amount(upTo), soakMs: time(soak) }
    }),
    maxUnavailable: amount(options['maxUnavailable'] ?? '1'),
    failureLimit: {
      firstWave: { max: amount(max ?? '0'), minAttempted: 1 },
      later: { max: amount(max ?? '2%'), minAttempted: 1 },
    },
    onFailure: { firstWave: onFailure ?? 'Rollback', later: onFailure ?? 'Pause' },
    deadlines: {
      downloadMs: time(options['download'] ?? '2h'),
      activateMs: time(options['activate'] ?? '20m'),
      healthMs: time(options['health'] ?? '10m'),
      waveMs: time(options['wave'] ?? '24h'),
    },
    health: { checks: ['web-up'], stableForMs: 0 },
  }
}

function optionsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]),
  )
}

const commands: Readonly<Record<string, (scene: Scene, words: readonly string[]) => unknown>> = {
  strategy(scene, words) {
    scene.strategy = strategyOf(optionsOf(words))
    return true
  },
  /** hosts 5 runs 1.0.0 */
  hosts(scene, [count = '0', , version = '0.0.0']) {
    const first = scene.world.agents.size
    return Array.from({ length: Number(count) }, (_, index) =>
      enrol(scene.world, `h${first + index + 1}`, imageOf(version).digest),
    )
  },
  /** git edge 2.0.0 suspend=yes; git nothing */
  git(scene, [fleet = '', version = '', ...words]) {
    scene.commits += 1
    if (fleet === 'nothing') scene.fleets.clear()
    else {
      const { suspend } = optionsOf(words)
      const wanted: WantedFleet = {
        name: fleet,
        selector: { kind: 'all' },
        strategy: scene.strategy,
        suspend: suspend === 'yes',
        revision: `rev-${version}`,
        image: imageOf(version),
      }
      scene.fleets.set(fleet, wanted)
    }
    want(scene.world, [...scene.fleets.values()], `commit-${scene.commits}`)
    return true
  },
  broken: (scene, [version = '']) => scene.world.broken.add(imageOf(version).digest),
  settle(scene) {
    settleAll(scene.world)
    return true
  },
  pass(scene, [time = '']) {
    pass(scene.world, parseDuration(time) ?? 0)
    return true
  },
  timer(scene) {
    dispatch(scene.world, { kind: 'timer' })
    return true
  },
  bad: (scene, words) =>
    agents(scene, words).map((agent) => {
      agent.behaviour = 'bad'
    }),
  ill: (scene, words) => agents(scene, words).map((agent) => fallIll(scene.world, agent)),
  silent: (scene, words) => agents(scene, words).map((agent) => silence(scene.world, agent)),
  back: (scene, words) =>
    agents(scene, words).map((agent) => {
      agent.behaviour = 'good'
      connect(scene.world, agent)
    }),
  move: (scene, words) => agents(scene, words).map((agent) => move(scene.world, agent)),
  /** report h1 phase=Healthy boot=2 attempt=0 */
  report: (scene, [id = '', ...words]) =>
    agents(scene, [id]).map((agent) =>
      dispatch(scene.world, { kind: 'report', hostId: id, report: spoken(agent, words) }),
    ),
  pause: (scene, words) => verb(scene, 'pause', words),
  resume: (scene, words) => verb(scene, 'resume', words),
  restart(scene) {
    restart(scene.world)
    return true
  },
  crash(scene, [after = '0']) {
    scene.world.crashAfterWrites = Number(after)
    return true
  },
  status(scene) {
    return scene.lines.push(...statusOf(scene.world))
  },
}

function agents(scene: Scene, ids: readonly string[]): readonly SimulatedAgent[] {
  return ids.flatMap((id) => scene.world.agents.get(id) ?? [])
}

function verb(scene: Scene, kind: 'pause' | 'resume', [rolloutId = '', ...reason]: readonly string[]): true {
  dispatch(scene.world, { kind, rolloutId, actor: 'kim', reason: reason.join(' ') })
  return true
}

function spoken(agent: SimulatedAgent, words: readonly string[]): HostReport {
  const report = reportOf(agent)
  const { attempt, boot, digest, phase } = optionsOf(words)
  const { plan } = report
  return {
    ...report,
    phase: (phase as HostReport['phase'] | undefined) ?? report.phase,
    bootId: boot ?? report.bootId,
    bootedDigest: digest === undefined ? report.bootedDigest : imageOf(digest).digest,
    bootedManifestDigest:
      digest === undefined ? report.bootedManifestDigest : `${imageOf(digest).digest.slice(0, -1)}a`,
    plan: plan && { ...plan, attempt: attempt === undefined ? plan.attempt : Number(attempt) },
  }
}
