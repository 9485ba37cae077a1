import type { Engine } from './controller.ts'
import { judge } from './judged.ts'
import type { Verdict } from './judged.ts'
import type { Scenario } from './scenario.ts'
import { clock, tracing } from './trace.ts'

/** Runs that a scenario is worth until it is small enough. */
export const shrinkRunsMax = 600

type Part = 'hosts' | 'operations' | 'faults'

/**
 * A smaller scenario that breaks the same invariant: leaves out halves, then quarters, down to single hosts, faults
 * and operations (ddmin), each as long as what is left still fails.
 */
export function shrink(scenario: Scenario, engine: Engine, runsMax = shrinkRunsMax): Scenario {
  const first = judge(scenario, engine)
  const invariant = first.broken?.invariant ?? null
  let runs = 0
  const fails = (candidate: Scenario): boolean => {
    runs += 1
    const { broken } = judge(candidate, engine)
    return broken !== null && broken.invariant === invariant
  }
  let smallest = shortened(scenario, first, fails)
  for (let before = -1; before !== sizeOf(smallest) && runs < runsMax;) {
    before = sizeOf(smallest)
    for (const part of ['faults', 'operations', 'hosts'] as const) {
      smallest = without(smallest, part, (candidate) => runs < runsMax && fails(candidate))
    }
  }
  return smallest
}

/** What comes after the failure is not part of it. */
function shortened(scenario: Scenario, { endedAtMs }: Verdict, fails: (of: Scenario) => boolean): Scenario {
  if (endedAtMs >= scenario.durationMs) return scenario
  const isEarly = ({ atMs }: { readonly atMs: number }): boolean => atMs <= endedAtMs
  const { faults, operations } = scenario
  const shorter = {
    ...scenario,
    durationMs: endedAtMs,
    operations: operations.filter(isEarly),
    faults: faults.filter(isEarly),
  }
  return fails(shorter) ? shorter : scenario
}

function sizeOf({ faults, hosts, operations }: Scenario): number {
  return faults.length + hosts.length + operations.length
}

function without(scenario: Scenario, part: Part, fails: (of: Scenario) => boolean): Scenario {
  let smallest = scenario
  for (let pieces = 2; ;) {
    const all = smallest[part] as readonly unknown[]
    if (all.length === 0) return smallest
    const length = Math.ceil(all.length / pieces)
    const starts = Array.from({ length: Math.ceil(all.length / length) }, (_, index) => index * length)
    const found = starts
      .map(
        (from) => ({ ...smallest, [part]: [...all.slice(0, from), ...all.slice(from + length)] }) as Scenario,
      )
      .find((candidate) => fails(candidate))
    if (found !== undefined) {
      smallest = found
      pieces = Math.max(2, pieces - 1)
    } else if (length === 1) return smallest
    else pieces = Math.min(all.length, pieces * 2)
  }
}

/** What a person reads of a scenario that failed: what was done, what was decided, and what was wrong about it. */
export function readable(scenario: Scenario, engine: Engine, linesMax = 60): string {
  const lines: string[] = []
  const { broken } = judge(scenario, engine, [tracing(lines, linesMax)])
  const { faults, hosts, operations, seed } = scenario
  const told = operations.map((operation) => `  ${clock(operation.atMs)}  ${operation.kind}`)
  return [
    `seed ${seed}, shrunk to ${hosts.length} hosts, ${operations.length} operations and ${faults.length} faults:`,
    ...told,
    ...faults.map((fault) => `  ${clock(fault.atMs)}  ${JSON.stringify({ ...fault, atMs: undefined })}`),
    `what was decided (the last ${linesMax} lines):`,
    ...lines.slice(-linesMax).map((line) => `  ${line}`),
    broken?.message ?? 'no invariant is broken',
    '',
  ].join('\n')
}
