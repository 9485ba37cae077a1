import { h } from 'preact'
import type { ComponentChildren, JSX } from 'preact'
import { staleSince } from '../../../proto/picture/picture.ts'
import { sourcesOf, troubleWords } from '../../../proto/picture/sentences.ts'
import { clockWord, spanWord } from '../../../proto/picture/words.ts'
import { Fleet } from './fleet.ts'
import { Host } from './host.ts'
import type { Model } from './model.ts'
import { PlaceLink, Trouble } from './parts.ts'
import { titleOf } from './place.ts'
import { Wall } from './wall.ts'
import type { Reading } from './wire.ts'

export function App({ model }: { readonly model: Model }): JSX.Element {
  const isStale = staleSince(model) !== null
  return h('div', { class: isStale ? 'app stale' : 'app' }, [
    h('a', { class: 'skip', href: '#main', onClick: focusMain }, 'To the content'),
    h('header', null, [h(Trail, { model }), h(Connection, { model })]),
    h('main', { id: 'main', tabIndex: -1 }, [
      h('h1', { id: 'title', tabIndex: -1 }, titleOf(model.place)),
      h(Body, { model }),
    ]),
    h('footer', null, [
      h('p', null, [
        'Read only. Orders are given with ',
        h('code', null, 'bootfleet'),
        model.reading === null ? '.' : `; you are operator ${model.reading.operator}.`,
      ]),
    ]),
  ])
}

/** The address says where one is, so the skip link must not change it. */
function focusMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}

/** The way back up. */
function Trail({ model }: { readonly model: Model }): JSX.Element {
  const { place, reading } = model
  const wall = h('li', null, h(PlaceLink, { place: { kind: 'wall' } }, 'bootfleet'))
  const here = place.kind === 'wall' ? [] : [h('li', { 'aria-current': 'page' }, titleOf(place))]
  const fleet = place.kind === 'host' ? (reading?.why?.fleet ?? '') : ''
  const above = fleet === '' ? [] : [h('li', null, h(PlaceLink, { place: { kind: 'fleet', fleet } }, fleet))]
  return h('nav', { 'aria-label': 'Where you are' }, h('ol', null, [wall, ...above, ...here]))
}

/**
 * How old the picture is. Only what changes when the connection does is announced: a clock that is read out every
 * second would be turned off with everything else.
 */
function Connection({ model }: { readonly model: Model }): JSX.Element {
  const since = staleSince(model)
  const { seenAtMs, nowMs, lost } = model
  const [tone, glyph, text] =
    since !== null
      ? (['bad', '✖', `stale since ${clockWord(since)}`] as const)
      : seenAtMs > 0
        ? (['good', '●', 'live'] as const)
        : lost === null
          ? (['busy', '◌', 'connecting'] as const)
          : (['bad', '✖', 'no connection'] as const)
  const age =
    since === null ? (seenAtMs > 0 ? `, as of ${clockWord(seenAtMs)}` : '') : `, ${spanWord(nowMs - since)}`
  return h('p', { class: `connection ${tone}` }, [
    h('span', { role: 'status' }, [h('span', { 'aria-hidden': 'true' }, `${glyph} `), text]),
    h('span', { class: 'age' }, age),
  ])
}

function Body({ model }: { readonly model: Model }): ComponentChildren {
  const { reading, lost } = model
  const since = staleSince(model)
  const why = lost ?? 'the controller has not said anything'
  if (reading === null) {
    return lost === null
      ? h('p', { class: 'quiet' }, 'Waiting for the first status.')
      : h(Trouble, { text: `${lost}; trying again` })
  }
  return [
    since === null
      ? null
      : h(Trouble, { text: `what is below is of ${clockWord(since)}: ${why}; trying again` }),
    h(SourceTrouble, { reading }),
    h(Shown, { model, reading }),
  ]
}

function Shown({ model, reading }: { readonly model: Model; readonly reading: Reading }): JSX.Element {
  const { place, nowMs } = model
  switch (place.kind) {
    case 'wall':
      return h(Wall, { reading, nowMs })
    case 'fleet':
      return h(Fleet, { name: place.fleet, reading, nowMs })
    case 'host':
      return h(Host, { reading, nowMs })
  }
}

function SourceTrouble({ reading }: { readonly reading: Reading }): JSX.Element {
  const sources = sourcesOf(reading.status)
  return h('div', { class: 'sources' }, [
    sources.flatMap((source) => troubleWords(source)).map((text) => h(Trouble, { text })),
    sources.flatMap(({ waiting }) => waiting).map((text) => h('p', { class: 'quiet' }, `◎ ${text}`)),
  ])
}
