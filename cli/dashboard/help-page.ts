import { line, span } from './line.ts'
import type { Line } from './line.ts'

const keys: readonly (readonly [string, string])[] = [
  ['↑ ↓  k j', 'move or scroll; PgUp PgDn by ten, Home End'],
  ['Enter', 'open: fleet, its rollout, a host'],
  ['Esc', 'back; takes a filter back first'],
  ['/', 'show only rows with these letters in them'],
  ['p', 'pause the rollout of the fleet; asks why'],
  ['a', 'approve the wave that waits; asks why'],
  ['Ctrl-L', 'draw everything again'],
  ['q  Ctrl-C', 'quit; the fleet goes on by itself'],
]

export function helpLines(): readonly Line[] {
  return [
    line(span('Keys', 'strong')),
    ...keys.map(([key, what]) => line('  ', span(key.padEnd(11), 'strong'), what)),
    line(''),
    line('Worst first. A fleet is named before an order is sent, and'),
    line('the order is of that very rollout, whatever moved meanwhile.'),
    line('"Stale" means: no connection, or no answer for 15 seconds.'),
    line('"ETA not before": what soaks and windows alone will take.'),
    line('Times are UTC. Other orders: bootfleet --help'),
  ]
}
