import { apply, explain, open } from '../../controller/rollout/engine.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { readDesiredState } from '../offline/files.ts'
import { readInventory } from '../offline/inventory.ts'
import { outlookOf } from '../offline/outlook.ts'
import type { GivenImages } from '../offline/wanted.ts'
import { renderSimulation } from '../render/simulation.ts'
import { renderJson } from '../render/structured.ts'
import type { Session } from '../session.ts'
import { randomScenario, testSizes } from '../simulator/generate.ts'
import { judge } from '../simulator/judged.ts'
import { readable, shrink } from '../simulator/shrink.ts'
import { dataOf } from './preview.ts'

type SimulateOptions = {
  inventory?: string | undefined
  hosts?: string | undefined
  image: GivenImages
  at?: number | undefined
  failureRate: number
  seed: number
  random?: boolean | undefined
  output: 'table' | 'json'
}

export async function runSimulate(
  session: Session,
  dir: string,
  options: SimulateOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  if (options.random === true) return replay(session, options.seed)
  const desiredState = await readDesiredState(terminal, 'simulate', dir)
  if (desiredState === null) return exitStatus.error
  const { denials, hosts } = await readInventory(session, options.inventory ?? options.hosts)
  const outlook = outlookOf({
    desiredState,
    hosts,
    denials,
    given: options.image,
    startMs: options.at ?? Date.now(),
    seed: options.seed,
    failureRate: options.failureRate,
    slowness: 1,
  })
  terminal.out(options.output === 'json' ? renderJson(dataOf(outlook)) : renderSimulation(outlook))
  const fine = outlook.fleets.every(
    ({ denials, rollout }) =>
      denials.length === 0 && (rollout === null || rollout.state.kind === 'Succeeded'),
  )
  return fine ? exitStatus.done : exitStatus.failed
}

/** A seed of the simulation test: nothing to say when every invariant holds, else its story. */
function replay({ terminal }: Session, seed: number): ExitStatus {
  const engine = { open, apply, explain }
  const scenario = randomScenario(seed, testSizes)
  const { broken, hostHours, steps } = judge(scenario, engine)
  if (broken === null) {
    const lived = `${scenario.hosts.length} hosts, ${Math.round(hostHours)} host-hours, ${steps} events`
    terminal.out(`seed ${seed}: ${lived}; every invariant holds\n`)
    return exitStatus.done
  }
  terminal.note('an invariant is broken; looking for the shortest story of it\n')
  terminal.out(readable(shrink(scenario, engine), engine))
  return exitStatus.failed
}
