import type { FleetStatus, HostInRollout, HostStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { fleetsWorstFirst } from '../../proto/picture/fleet-order.ts'
import { runningWord } from '../../proto/picture/running.ts'
import { hostWords } from '../../proto/picture/sentences.ts'
import { fleetNamed, openPage } from './model.ts'
import type { Model, Page, Place } from './model.ts'

/** What the mark can stand on. */
export type Row =
  | { readonly kind: 'fleet'; readonly fleet: FleetStatus }
  | { readonly kind: 'rollout'; readonly fleet: FleetStatus }
  | { readonly kind: 'attention'; readonly host: HostInRollout; readonly fleet: FleetStatus }
  | { readonly kind: 'host'; readonly host: HostStatus }

/** Of the page that is open, without what the filter leaves out. */
export function rowsOf(model: Model): readonly Row[] {
  const page = openPage(model)
  const rows = allRows(model, page.place)
  const wanted = page.filter.toLowerCase()
  return wanted === '' ? rows : rows.filter((row) => textOf(row).toLowerCase().includes(wanted))
}

function allRows(model: Model, place: Place): readonly Row[] {
  switch (place.kind) {
    case 'fleets':
      return fleetsWorstFirst(model.status?.fleets ?? []).map((fleet) => ({ kind: 'fleet', fleet }))
    case 'fleet': {
      const fleet = fleetNamed(model, place.fleet)
      if (fleet?.rollout === undefined) return []
      const attention = fleet.rollout.attention.map((host): Row => ({ kind: 'attention', host, fleet }))
      return [{ kind: 'rollout', fleet }, ...attention]
    }
    case 'rollout':
      return (model.slots.hosts.value ?? []).map((host) => ({ kind: 'host', host }))
    case 'host':
      return []
  }
}

export function keyOf(row: Row): string {
  switch (row.kind) {
    case 'fleet':
      return row.fleet.name
    case 'rollout':
      return ' rollout'
    case 'attention':
    case 'host':
      return row.host.hostId
  }
}

function textOf(row: Row): string {
  switch (row.kind) {
    case 'fleet':
      return `${row.fleet.name} ${row.fleet.state} ${row.fleet.version} ${row.fleet.message}`
    case 'rollout':
      return `${row.fleet.rollout?.id ?? ''} ${row.fleet.rollout?.state ?? ''}`
    case 'attention':
      return `${row.host.hostName} ${row.host.phase} ${row.host.wave} ${row.host.message}`
    case 'host': {
      const { name, phase, conditions, labels } = row.host
      const shown = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
      return [name, phase, runningWord(row.host), hostWords(row.host), ...conditions, ...shown].join(' ')
    }
  }
}

/** Where Enter leads to. */
export function placeOf(row: Row, from: Place): Place {
  switch (row.kind) {
    case 'fleet':
      return { kind: 'fleet', fleet: row.fleet.name }
    case 'rollout':
      return { kind: 'rollout', fleet: row.fleet.name }
    case 'attention':
      return { kind: 'host', fleet: row.fleet.name, host: row.host.hostName }
    case 'host':
      return { kind: 'host', fleet: from.kind === 'fleets' ? '' : from.fleet, host: row.host.name }
  }
}

/** The first one, also when what was marked is gone. */
export function selectedIndex({ selected }: Page, rows: readonly Row[]): number {
  if (selected === null) return 0
  return Math.max(
    0,
    rows.findIndex((row) => keyOf(row) === selected),
  )
}
