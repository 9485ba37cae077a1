import { h } from 'preact'
import type { ComponentChildren, JSX } from 'preact'
import type { WaveStatus } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { imageWord, lookOf, spanWord } from '../../../proto/picture/words.ts'
import { hashOf } from './place.ts'
import type { Place } from './place.ts'
import type { EventLine } from './wire.ts'

/** Glyph and word; who listens hears only the word. */
export function State({
  state,
  cause = '',
}: {
  readonly state: string
  readonly cause?: string
}): JSX.Element {
  const { glyph, tone } = lookOf(state)
  return h('span', { class: `state ${tone}` }, [
    h('span', { 'aria-hidden': 'true' }, `${glyph} `),
    cause === '' ? state : `${state} (${cause})`,
  ])
}

export function PlaceLink({
  place,
  children,
}: {
  readonly place: Place
  readonly children?: ComponentChildren
}): JSX.Element {
  return h('a', { href: hashOf(place) }, children)
}

/** Whole for who copies it. */
export function Image({
  version,
  digest,
}: {
  readonly version: string
  readonly digest: string
}): JSX.Element {
  return h('span', { class: 'image', title: digest }, imageWord(version, digest))
}

export function Section({
  name,
  title,
  note = '',
  children,
}: {
  /** Of the heading, within the page. */
  readonly name: string
  readonly title: string
  readonly note?: string
  readonly children?: ComponentChildren
}): JSX.Element {
  return h('section', { 'aria-labelledby': name }, [
    h('h2', { id: name }, [title, note === '' ? null : h('span', { class: 'note' }, ` ${note}`)]),
    children,
  ])
}

export function Trouble({ text }: { readonly text: string }): JSX.Element {
  return h('p', { class: 'trouble' }, [h('span', { 'aria-hidden': 'true' }, '✖ '), text])
}

type Part = { readonly tone: string; readonly hosts: number }

/** How far a wave is. The numbers stand beside it as text, so it is only for the eye. */
export function Bar({ wave }: { readonly wave: WaveStatus }): JSX.Element {
  const { hostsTotal, hostsSucceeded, hostsFailed, hostsInProgress, hostsSkipped } = wave
  const parts: readonly Part[] = [
    { tone: 'good', hosts: hostsSucceeded },
    { tone: 'bad', hosts: hostsFailed },
    { tone: 'busy', hosts: hostsInProgress },
    { tone: 'quiet', hosts: hostsSkipped },
  ]
  return drawnBar(parts, hostsTotal)
}

export function drawnBar(parts: readonly Part[], total: number): JSX.Element {
  let from = 0
  const drawn = parts.map(({ tone, hosts }) => {
    const part = h('rect', { class: tone, x: from, y: 0, width: hosts, height: 1 })
    from += hosts
    return part
  })
  const viewBox = `0 0 ${Math.max(1, total)} 1`
  return h('svg', { class: 'bar', viewBox, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, drawn)
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, string])[] }): JSX.Element {
  return h(
    'dl',
    { class: 'facts' },
    facts.map(([name, value]) => h('div', { key: name }, [h('dt', null, name), h('dd', null, value)])),
  )
}

export function Time({ atMs, nowMs }: { readonly atMs: number; readonly nowMs: number }): JSX.Element {
  const iso = new Date(atMs).toISOString()
  const title = `${iso.slice(0, 19)}Z`
  return h('time', { dateTime: iso, title }, `${spanWord(nowMs - atMs)} ago`)
}

export function Events({
  events,
  nowMs,
}: {
  readonly events: readonly EventLine[]
  readonly nowMs: number
}): JSX.Element {
  if (events.length === 0) return h('p', { class: 'quiet' }, 'None of late.')
  const lines = events.map((line) => h('li', null, h(Event, { line, nowMs })))
  return h('ol', { class: 'events' }, lines)
}

function Event({ line, nowMs }: { readonly line: EventLine; readonly nowMs: number }): JSX.Element {
  const { actor, at, event, fleet, message, outcome, reason, subject } = line
  const told = [fleet, subject === fleet ? '' : subject, message, reason === '' ? '' : `"${reason}"`]
  return h('p', null, [
    h(Time, { atMs: Date.parse(at), nowMs }),
    ' ',
    h('b', null, actor.replace(/^operator\//, '')),
    ` ${event} `,
    h(State, { state: outcome }),
    ` ${told.filter((part) => part !== '').join(' · ')}`,
  ])
}
