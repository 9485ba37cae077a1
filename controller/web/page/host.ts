import { h } from 'preact'
import type { JSX } from 'preact'
import type { HostStatus, TraceHop, WhyResponse } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { factsOf } from '../../../proto/picture/sentences.ts'
import { Events, Facts, PlaceLink, Section, State, Time } from './parts.ts'
import type { Reading } from './wire.ts'

type Props = { readonly reading: Reading; readonly nowMs: number }

/** What keeps a host from its next step, how it came to what it runs, and what it is. */
export function Host({ reading, nowMs }: Props): JSX.Element {
  const { why, hops, events } = reading
  const [host] = reading.hosts
  return h('div', null, [
    why === null ? null : h(Why, { why, nowMs }),
    host === undefined || host.evidence.length === 0 ? null : h(Evidence, { host }),
    h(Section, { name: 'story', title: 'How it came to this', note: 'from the commit to the boot' }, [
      hops.length === 0
        ? h('p', { class: 'quiet' }, 'Nothing yet: no rollout has had it, and it has not reported.')
        : h(
            'ol',
            { class: 'story' },
            hops.map((hop) => h('li', null, h(Hop, { hop, nowMs }))),
          ),
    ]),
    host === undefined
      ? null
      : h(Section, { name: 'facts', title: 'What it is' }, h(Facts, { facts: factsOf(host) })),
    h(Section, { name: 'events', title: 'Last events' }, h(Events, { events, nowMs })),
  ])
}

function Why({ why, nowMs }: { readonly why: WhyResponse; readonly nowMs: number }): JSX.Element {
  const { failedDigest, fleet, phase, reason, message, next, sinceMs } = why
  const since = Number(sinceMs)
  const isSaid = reason === 'Progressing' || reason === phase
  return h('div', { class: 'head' }, [
    h('p', null, [
      h(State, { state: phase === '' ? 'Pending' : phase }),
      ...(fleet === ''
        ? [' of no fleet']
        : [' of fleet ', h(PlaceLink, { place: { kind: 'fleet', fleet } }, fleet)]),
      ...(since === 0 ? [] : [', since ', h(Time, { atMs: since, nowMs })]),
    ]),
    h('p', { class: 'sentence' }, [isSaid ? '' : `${reason}: `, message]),
    failedDigest === ''
      ? null
      : h('p', null, [h('b', null, 'Failed: '), h('span', { class: 'image' }, failedDigest)]),
    next === '' ? null : h('p', null, [h('b', null, 'Next: '), next]),
  ])
}

function Evidence({ host }: { readonly host: HostStatus }): JSX.Element {
  const lines = host.evidence.map((text) => h('li', null, text))
  return h(Section, { name: 'evidence', title: 'What it saw of boots that failed' }, [
    h('ul', { class: 'evidence' }, lines),
  ])
}

function Hop({ hop, nowMs }: { readonly hop: TraceHop; readonly nowMs: number }): JSX.Element {
  const { kind, name, message, atMs, actor } = hop
  return h('div', { class: 'hop' }, [
    h('h3', null, kind),
    h('p', { class: 'image' }, name),
    h('p', null, [
      message,
      actor === '' ? '' : ` (${actor})`,
      ...(atMs === 0n ? [] : [' · ', h(Time, { atMs: Number(atMs), nowMs })]),
    ]),
  ])
}
