import { h } from 'preact'
import type { JSX } from 'preact'
import type {
  FleetStatus,
  HostStatus,
  RolloutStatus,
  WaveStatus,
} from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { etaWords } from '../../../proto/picture/eta.ts'
import { limitWords } from '../../../proto/picture/limits.ts'
import { runningWord } from '../../../proto/picture/running.ts'
import {
  byWords,
  changeWords,
  gateWords,
  hostWords,
  imagesWords,
  ordersOf,
} from '../../../proto/picture/sentences.ts'
import { shortHash } from '../../../proto/picture/words.ts'
import { attentionOf } from './attention.ts'
import { Bar, Events, PlaceLink, Section, State, Time, Trouble } from './parts.ts'
import type { Reading } from './wire.ts'

type Props = { readonly name: string; readonly reading: Reading; readonly nowMs: number }

/** A fleet, the waves of its rollout, and its hosts. */
export function Fleet({ name, reading, nowMs }: Props): JSX.Element {
  const fleet = reading.status.fleets.find((each) => each.name === name)
  if (fleet === undefined) return h(Trouble, { text: `there is no fleet ${name} that you may see` })
  const { rollout } = fleet
  const attention = attentionOf(fleet)
  return h('div', null, [
    h(Head, { fleet }),
    rollout === undefined ? null : h(Rollout, { rollout, said: fleet.message, nowMs }),
    attention.length === 0
      ? null
      : h(Section, { name: 'attention', title: 'Hosts that need attention first' }, [
          h('ul', { class: 'rows' }, attention),
        ]),
    h(Limits, { fleet, nowMs }),
    h(Hosts, { reading }),
    h(Orders, { fleet, nowMs }),
    h(Section, { name: 'events', title: 'Last events' }, h(Events, { events: reading.events, nowMs })),
  ])
}

function Head({ fleet }: { readonly fleet: FleetStatus }): JSX.Element {
  const { state, message, hostsHealthy, hostsTotal, hostsUpdated, halted } = fleet
  const denied = fleet.denied.filter(({ digest }) => digest === fleet.digest)
  return h('div', { class: 'head' }, [
    h('p', null, [
      h(State, { state }),
      ` ${hostsUpdated}/${hostsTotal} updated · ${hostsHealthy}/${hostsTotal} healthy`,
    ]),
    h('p', { class: 'sentence' }, message),
    h('p', { class: 'quiet' }, imagesWords(fleet)),
    halted === undefined ? null : h(Trouble, { text: `halted ${byWords(halted)}` }),
    denied.map(({ reason }) => h(Trouble, { text: `the wanted digest is denied: ${reason}` })),
  ])
}

function Rollout({
  rollout,
  said,
  nowMs,
}: {
  readonly rollout: RolloutStatus
  /** What stands above already. */
  readonly said: string
  readonly nowMs: number
}): JSX.Element {
  const { state, pausedFor, commit, message, startedAtMs, waves } = rollout
  const eta = etaWords(rollout, nowMs)
  return h(Section, { name: 'rollout', title: 'Rollout', note: shortHash(commit) }, [
    h('p', null, [
      h(State, { state, cause: pausedFor }),
      ` ${changeWords(rollout)}, started `,
      h(Time, { atMs: Number(startedAtMs), nowMs }),
    ]),
    said.includes(message) ? null : h('p', { class: 'sentence' }, message),
    eta === '' ? null : h('p', null, eta),
    h(
      'ol',
      { class: 'waves', 'aria-label': 'Waves' },
      waves.map((wave) => h('li', { key: wave.name }, h(Wave, { wave, nowMs }))),
    ),
  ])
}

function Wave({ wave, nowMs }: { readonly wave: WaveStatus; readonly nowMs: number }): JSX.Element {
  const { name, state, hostsFailed, hostsInProgress, hostsSkipped, hostsSucceeded, hostsTotal, message } =
    wave
  const others: readonly (readonly [number, string])[] = [
    [hostsFailed, 'failed'],
    [hostsInProgress, 'under way'],
    [hostsSkipped, 'skipped'],
  ]
  const counts = others.filter(([count]) => count > 0).map(([count, word]) => `, ${count} ${word}`)
  return h('div', { class: 'wave' }, [
    h('h3', null, name),
    h(State, { state }),
    h('span', { class: 'counts' }, `${hostsSucceeded}/${hostsTotal} done${counts.join('')}`),
    h(Bar, { wave }),
    message === '' ? null : h('p', { class: 'said' }, message),
    gateWords(wave, nowMs).map((text) => h('p', { class: 'quiet' }, text)),
  ])
}

/** How much of each limit is used, and when windows and freezes turn. */
function Limits({
  fleet,
  nowMs,
}: {
  readonly fleet: FleetStatus
  readonly nowMs: number
}): JSX.Element | null {
  if (fleet.limits === undefined) return null
  const lines = limitWords(fleet.limits, nowMs).map((text) => h('li', null, text))
  return h(Section, { name: 'limits', title: 'Budgets, windows and freezes' }, [
    h('ul', { class: 'limits' }, lines),
  ])
}

function Hosts({ reading }: { readonly reading: Reading }): JSX.Element {
  const { hosts, hostsTotal } = reading
  const some = `${hosts.length} of ${hostsTotal}, worst first; "bootfleet get hosts" lists them all`
  const note = hosts.length < hostsTotal ? some : `${hostsTotal}, worst first`
  return h(Section, { name: 'hosts', title: 'Hosts', note }, [
    hosts.length === 0
      ? h('p', { class: 'quiet' }, 'None.')
      : h(
          'ul',
          { class: 'rows' },
          hosts.map((host) => h('li', { key: host.hostId }, h(Host, { host }))),
        ),
  ])
}

function Host({ host }: { readonly host: HostStatus }): JSX.Element {
  const { name, phase } = host
  return h('div', { class: 'row' }, [
    h('span', { class: 'name' }, h(PlaceLink, { place: { kind: 'host', host: name } }, name)),
    h(State, { state: phase === '' ? 'Pending' : phase }),
    h('span', { class: 'said' }, [h('span', { class: 'quiet' }, `${runningWord(host)} `), hostWords(host)]),
  ])
}

/** What people ordered, newest first. */
function Orders({
  fleet,
  nowMs,
}: {
  readonly fleet: FleetStatus
  readonly nowMs: number
}): JSX.Element | null {
  const records = ordersOf(fleet)
  if (records.length === 0) return null
  const lines = records.map((record) =>
    h('li', null, [
      h('p', null, [
        h(Time, { atMs: Number(record.atMs), nowMs }),
        ' ',
        h('b', null, record.verb),
        ` ${byWords(record)}`,
      ]),
    ]),
  )
  return h(Section, { name: 'orders', title: 'Orders' }, h('ol', { class: 'events' }, lines))
}
