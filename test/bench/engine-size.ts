import { populationFor } from '../../controller/rollout/population-of-fleet.ts'
import { planWaves } from '../../controller/rollout/waves.ts'
import { columnsOf, planFloor } from './engine-floor.ts'
import { connection, openFleet, report, send, strategy, wanted } from './engine-fleet.ts'
import type { Fleet, Sent } from './engine-fleet.ts'
import { median } from './figures.ts'

/** What one fleet costs; written as one line of JSON for engine.ts, which gives each size a process of its own. */
export type Measured = {
  readonly hosts: number
  readonly planned: Sent
  readonly plan: { readonly ours: number; readonly theirs: number } | null
  readonly reportUs: number
  readonly connectionUs: number
}

const comparedAt = 100_000
const rounds = 9
const eventsPerSize = 4_000

function planOurs({ state }: Fleet, revision: string): number {
  const edge = state.fleets.get('edge')
  if (edge === undefined) throw new Error('planning: the fleet is not there')
  const startedMs = performance.now()
  const counted = toTheEnd(populationFor(state, edge, revision))
  toTheEnd(planWaves(strategy(), counted.population))
  return performance.now() - startedMs
}

function toTheEnd<Result>(steps: Generator<undefined, Result>): Result {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/** Both sides in turn, so that a busy machine slows both. */
function comparePlans(fleet: Fleet, hosts: number): { readonly ours: number; readonly theirs: number } {
  const columns = columnsOf(hosts)
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
  for (let round = 0; round < rounds; round += 1) {
    times.ours.push(planOurs(fleet, `rev-${round}`))
    const startedMs = performance.now()
    planFloor(columns, round)
    times.theirs.push(performance.now() - startedMs)
  }
  return { ours: median(times.ours), theirs: median(times.theirs) }
}

/** Mean µs of processor time; every host tells of another boot, so that it is taken out and counted again. */
function eventCost(
  fleet: Fleet,
  hosts: number,
): { readonly reportUs: number; readonly connectionUs: number } {
  const reported = report()
  const hostOf = (index: number): string => `host-${(index * 7919) % hosts}`
  const reportUs = cpuUs((index) =>
    send(fleet, { kind: 'report', hostId: hostOf(index), report: { ...reported, bootId: `boot-${index}` } }),
  )
  const connectionUs = cpuUs((index) => send(fleet, connection(hostOf(index >> 1), index % 2 === 1)))
  return { reportUs, connectionUs }
}

function cpuUs(work: (index: number) => unknown): number {
  for (let index = 0; index < eventsPerSize; index += 1) work(index)
  const before = process.cpuUsage()
  for (let index = 0; index < eventsPerSize; index += 1) work(index + eventsPerSize)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / eventsPerSize
}

const hosts = Number(process.argv[2])
const fleet = openFleet(hosts)
const planned = send(fleet, wanted('1.0.0'))
const plan = hosts === comparedAt ? comparePlans(fleet, hosts) : null
const measured: Measured = { hosts, planned, plan, ...eventCost(fleet, hosts) }
process.stdout.write(`${JSON.stringify(measured)}\n`)
