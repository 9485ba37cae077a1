import { h } from 'preact'
import type { JSX } from 'preact'
import type { FleetStatus } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { fleetsWorstFirst } from '../../../proto/picture/fleet-order.ts'
import { drawnBar, Events, Image, PlaceLink, Section, State } from './parts.ts'
import { attentionOf } from './attention.ts'
import type { Reading } from './wire.ts'

type Props = { readonly reading: Reading; readonly nowMs: number }

/** Every fleet, what a person must act on first. */
export function Wall({ reading, nowMs }: Props): JSX.Element {
  const fleets = fleetsWorstFirst(reading.status.fleets)
  const hosts = fleets.reduce((sum, fleet) => sum + fleet.hostsTotal, 0)
  const attention = fleets.flatMap((fleet) => attentionOf(fleet, `${fleet.name} · `))
  const note = `${counted(fleets.length, 'fleet')}, ${counted(hosts, 'host')}, worst first`
  return h('div', null, [
    h('p', { class: 'note' }, note),
    fleets.length === 0
      ? h('p', { class: 'quiet' }, 'There is none that you may see in the commit in force.')
      : h(
          'ul',
          { class: 'wall', 'aria-labelledby': 'title' },
          fleets.map((fleet) => h('li', { key: fleet.name }, h(Card, { fleet }))),
        ),
    attention.length === 0
      ? null
      : h(Section, { name: 'attention', title: 'Hosts that need attention first' }, [
          h('ul', { class: 'rows' }, attention),
        ]),
    h(Section, { name: 'events', title: 'Last events' }, h(Events, { events: reading.events, nowMs })),
  ])
}

function Card({ fleet }: { readonly fleet: FleetStatus }): JSX.Element {
  const { name, state, hostsTotal, hostsUpdated, hostsHealthy, message, version, digest } = fleet
  return h('article', { class: 'card' }, [
    h('h2', null, h(PlaceLink, { place: { kind: 'fleet', fleet: name } }, name)),
    h('p', null, h(State, { state })),
    drawnBar([{ tone: 'good', hosts: hostsUpdated }], hostsTotal),
    h('p', { class: 'counts' }, [
      `${hostsUpdated}/${hostsTotal} updated · ${hostsHealthy}/${hostsTotal} healthy`,
    ]),
    h('p', null, message),
    h('p', { class: 'quiet' }, h(Image, { version, digest })),
  ])
}

function counted(count: number, word: string): string {
  return count === 1 ? `1 ${word}` : `${count} ${word}s`
}
