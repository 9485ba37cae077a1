import { parseDuration } from '../../controller/desired-state/duration.ts'
import type { Freeze, HostDeclaration, Strategy } from '../../controller/desired-state/types.ts'
import type { HostReport } from '../../controller/rollout/report.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { imageOf, nextPhase, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { freezeFrom } from './rollout-limits.ts'
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
import { optionsOf, strategyOf } from './scenario-strategy.ts'
import { declarationFrom, pinnedImage, wantedFrom } from './scenario-wanted.ts'
import { away, boot, wipe } from './rollout-losses.ts'
import { tell, tellOfFleet } from './scenario-verbs.ts'

type Scene = {
  readonly world: World
  readonly lines: string[]
  strategy: Strategy
  readonly fleets: Map<string, WantedFleet>
  readonly freezes: Freeze[]
  readonly declarations: Map<string, HostDeclaration>
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
  const scene: Scene = {
    world,
    lines,
    strategy: strategyOf({}),
    fleets: new Map(),
    freezes: [],
    declarations: new Map(),
    commits: 0,
  }
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

const commands: Readonly<Record<string, (scene: Scene, words: readonly string[]) => unknown>> = {
  strategy(scene, words) {
    scene.strategy = strategyOf(optionsOf(words))
    return true
  },
  /** hosts 5 runs 1.0.0 site=berlin */
  hosts(scene, [count = '0', , version = '0.0.0', ...words]) {
    const first = scene.world.agents.size
    return Array.from({ length: Number(count) }, (_, index) =>
      enrol(scene.world, `h${first + index + 1}`, imageOf(version).digest, optionsOf(words)),
    )
  },
  /** git edge 2.0.0 suspend=yes; git nothing */
  git(scene, [fleet = '', version = '', ...words]) {
    scene.commits += 1
    if (fleet === 'nothing') scene.fleets.clear()
    else {
      scene.fleets.set(fleet, wantedFrom(fleet, version, scene.strategy, optionsOf(words)))
    }
    const { declarations, fleets, freezes } = scene
    const hosts = [...declarations.values()]
    const pins = hosts.flatMap(({ pin }) => (pin === null ? [] : [pinnedImage(pin)]))
    const wanted = [...fleets.values()].map((each) => ({ ...each, pins }))
    want(scene.world, wanted, `commit-${scene.commits}`, { freezes: [...freezes], hosts })
    return true
  },
  /** host h1 pin=1.0.0 hold=48h because=repair site=berlin; takes effect with the next commit */
  host(scene, [name = '', ...words]) {
    scene.declarations.set(name, declarationFrom(name, optionsOf(words), scene.world.wallMs))
    return true
  },
  /** nohost h1 */
  nohost: (scene, [name = '']) => scene.declarations.delete(name),
  deny: (scene, words) => tellOfFleet(scene.world, 'deny', words),
  allow: (scene, words) => tellOfFleet(scene.world, 'allow', words),
  halt: (scene, words) => tellOfFleet(scene.world, 'halt', words),
  unhalt: (scene, words) => tellOfFleet(scene.world, 'unhalt', words),
  /** The store loses everything; hosts are enrolled again, connect and report. */
  wipe(scene) {
    wipe(scene.world)
    return true
  },
  /** The controller is away for a time in which hosts go on alone. */
  away(scene, [time = '']) {
    away(scene.world, parseDuration(time) ?? 0)
    return true
  },
  freeze: (scene, words) => scene.freezes.push(freezeFrom(words, optionsOf(words))),
  unfreeze(scene) {
    scene.freezes.length = 0
    return true
  },
  /** until 2026-01-16T21:00, in UTC */
  until(scene, [instant = '']) {
    pass(scene.world, Date.parse(`${instant}Z`) - scene.world.wallMs)
    return true
  },
  /** flaky h1 DownloadFailed 2 */
  flaky: (scene, [id = '', code = '', times = '1']) =>
    agents(scene, [id]).map((agent) => {
      agent.failing = { code, times: Number(times) }
    }),
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
  cutOff: (scene, words) =>
    agents(scene, words).map((agent) => {
      agent.behaviour = 'cutOff'
    }),
  /** Booted something else by hand: drift h1 1.0.0 */
  drift: (scene, [id = '', version = '']) =>
    agents(scene, [id]).map((agent) => boot(scene.world, agent, imageOf(version).digest)),
  ill: (scene, words) => agents(scene, words).map((agent) => fallIll(scene.world, agent)),
  silent: (scene, words) => agents(scene, words).map((agent) => silence(scene.world, agent)),
  back: (scene, words) =>
    agents(scene, words).map((agent) => {
      agent.behaviour = 'good'
      connect(scene.world, agent)
    }),
  move: (scene, words) => agents(scene, words).map((agent) => move(scene.world, agent)),
  /** The host goes on, and its report is lost. */
  unheard: (scene, words) =>
    agents(scene, words).map((agent) => {
      agent.phase = nextPhase(agent, scene.world.wallMs, scene.world.broken) ?? agent.phase
    }),
  /** report h1 phase=Healthy boot=2 attempt=0 verdict=Failed */
  report: (scene, [id = '', ...words]) =>
    agents(scene, [id]).map((agent) =>
      dispatch(scene.world, { kind: 'report', hostId: id, report: spoken(agent, words) }),
    ),
  pause: (scene, words) => tell(scene.world, 'pause', words),
  resume: (scene, words) => tell(scene.world, 'resume', words),
  promote: (scene, words) => tell(scene.world, 'promote', words),
  approve: (scene, words) => tell(scene.world, 'approve', words),
  abort: (scene, words) => tell(scene.world, 'abort', words),
  rollback: (scene, words) => tell(scene.world, 'rollback', words),
  /** retry edge.1 h3 the line is back */
  retry: (scene, words) => tell(scene.world, 'retry', words),
  /** measured edge.1 canary errors Failed 3% of requests fail */
  measured: (scene, words) => tell(scene.world, 'measured', words),
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

function spoken(agent: SimulatedAgent, words: readonly string[]): HostReport {
  const report = reportOf(agent)
  const { attempt, boot, digest, phase, verdict } = optionsOf(words)
  const { health, plan } = report
  return {
    ...report,
    phase: (phase as HostReport['phase'] | undefined) ?? report.phase,
    bootId: boot ?? report.bootId,
    health: {
      ...health,
      verdict: (verdict as HostReport['health']['verdict'] | undefined) ?? health.verdict,
    },
    bootedDigest: digest === undefined ? report.bootedDigest : imageOf(digest).digest,
    bootedManifestDigest:
      digest === undefined ? report.bootedManifestDigest : `${imageOf(digest).digest.slice(0, -1)}a`,
    plan: plan && { ...plan, attempt: attempt === undefined ? plan.attempt : Number(attempt) },
  }
}
