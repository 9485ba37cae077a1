import { randomScenario } from '../../cli/simulator/generate.ts'
import { judge } from '../../cli/simulator/judged.ts'
import { readable, shrink } from '../../cli/simulator/shrink.ts'
import { described, engine } from './seeds.ts'

/** Larger fleets than the test's, from a seed on that nobody has lived through yet, until somebody stops it. */
const sizes = { hostsMin: 20, hostsMax: 400 }
const sayEvery = 10

const first = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000)
const totals = { seeds: 0, hosts: 0, hostHours: 0, steps: 0, seconds: 0 }
const beganMs = performance.now()
for (let seed = first; ; seed += 1) {
  const scenario = randomScenario(seed, sizes)
  const { broken, hostHours, steps } = judge(scenario, engine)
  if (broken !== null) {
    console.error(readable(shrink(scenario, engine), engine))
    console.error(`Replay: SEED=${seed} make soak`)
    process.exitCode = 1
    break
  }
  totals.seeds += 1
  totals.hosts += scenario.hosts.length
  totals.hostHours += hostHours
  totals.steps += steps
  totals.seconds = (performance.now() - beganMs) / 1000
  if (totals.seeds % sayEvery === 0) console.log(`from seed ${first}: ${described(totals)}`)
}
