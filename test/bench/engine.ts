import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Measured } from './engine-size.ts'
import { render } from './figures.ts'

/*
 * What the rollout engine costs: a whole plan beside the same done with typed arrays alone, the longest call while a
 * large fleet is planned, and one event of one host in fleets of growing size.
 */

const sizes = [1_000, 10_000, 100_000, 1_000_000]
const blockMaxMs = 50

/** A process for each size: one that held other fleets before collects their garbage in the midst of this one. */
function measure(hosts: number): Measured {
  const program = fileURLToPath(new URL('engine-size.ts', import.meta.url))
  const flags = [...shippedFlags(), ...process.execArgv]
  const { status, stdout } = spawnSync(process.execPath, [...flags, program, String(hosts)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`measuring ${hosts} hosts ended with ${status}`)
  return JSON.parse(stdout) as Measured
}

/** What the controller's first line gives to Node. */
function shippedFlags(): readonly string[] {
  const program = fileURLToPath(new URL('../../dist/bootfleet-controller.mjs', import.meta.url))
  const [first = ''] = readFileSync(program, 'utf8').split('\n', 1)
  return first.split(' ').filter((word) => word.startsWith('--'))
}

function lineOf({ connectionUs, hosts, planned, reportUs }: Measured): string {
  return [
    String(hosts).padStart(9),
    `${reportUs.toFixed(0)} µs`.padStart(12),
    `${connectionUs.toFixed(0)} µs`.padStart(14),
    `${planned.totalMs.toFixed(0)} ms`.padStart(17),
    String(planned.calls).padStart(9),
    `${planned.longestMs.toFixed(1)} ms`.padStart(12),
  ].join('  ')
}

const measured = sizes.map(measure)
const heading = '    hosts    one report  one connection  plan of all waves      calls  longest call'
const lines = [heading, ...measured.map(lineOf)]
const plan = measured.find((each) => each.plan !== null)?.plan ?? { ours: Number.NaN, theirs: Number.NaN }
const { ok, text } = render([
  {
    name: 'planning all waves of 100,000 hosts',
    ...plan,
    unit: 'ms',
    limit: 5,
    against: 'typed arrays alone',
  },
  {
    name: 'longest call while 1,000,000 hosts are planned',
    ours: measured.at(-1)?.planned.longestMs ?? Number.NaN,
    theirs: blockMaxMs,
    unit: 'ms',
    limit: 1,
    against: 'what may block the event loop',
  },
])
process.stdout.write(`${lines.join('\n')}\n\n${text}`)
process.exitCode = ok ? 0 : 1
