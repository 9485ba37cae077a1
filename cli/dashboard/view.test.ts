import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { events } from '../../test/support/dashboard-events.ts'
import {
  answered,
  dashboardAt,
  failed,
  failingStatus,
  keys,
  lost,
  normalStatus,
  nowMs,
  seen,
  textOf,
} from '../../test/support/dashboard.ts'
import { hostsOfEdge, whyTill17 } from '../../test/support/dashboard-hosts.ts'
import { plain } from '../render/style.ts'
import { paintLine } from './line.ts'
import type { Message, Model } from './model.ts'
import { drawView } from './view.ts'

const sizes = [
  { width: 60, height: 20 },
  { width: 80, height: 24 },
  { width: 120, height: 40 },
]
const told = answered({ kind: 'events', value: events })
const states: Readonly<Record<string, readonly Message[]>> = {
  normal: [seen(normalStatus()), told],
  failing: [seen(failingStatus()), told],
  stale: [seen(normalStatus()), told, lost(nowMs + 42_000)],
}
const pages: Readonly<Record<string, readonly Message[]>> = {
  fleets: [],
  fleet: keys('\r'),
  rollout: [...keys('\r\r'), answered({ kind: 'hosts', value: hostsOfEdge() }, 'edge')],
  host: [
    ...keys('\rj\r'),
    answered({ kind: 'hosts', value: hostsOfEdge() }, 'edge'),
    answered({ kind: 'why', value: whyTill17 }, 'till-17'),
  ],
}

function pictureOf(page: string, state: string, size: { width: number; height: number }): Model {
  return dashboardAt(size, ...(states[state] ?? []), ...(pages[page] ?? []))
}

describe.each(sizes)('at $width × $height', (size) => {
  it.each(Object.keys(states))('shows the fleets in a %s state', async (state) => {
    const text = textOf(pictureOf('fleets', state, size))
    await expect(text).toMatchFileSnapshot(`pictures/fleets-${state}-${size.width}x${size.height}.txt`)
  })

  it.each(['fleet', 'rollout', 'host'])('shows a failing %s', async (page) => {
    const text = textOf(pictureOf(page, 'failing', size))
    await expect(text).toMatchFileSnapshot(`pictures/${page}-failing-${size.width}x${size.height}.txt`)
  })
})

it.each([
  ['fleets', 20],
  ['rollout', 24],
])('in 60 columns the sentence of a row of the %s page has room for %i letters', (page, room) => {
  const lines = textOf(pictureOf(page, 'failing', { width: 60, height: 20 })).split('\n')
  const heads = lines.flatMap((line) => (line.includes('MESSAGE') ? [60 - line.indexOf('MESSAGE')] : []))
  expect(heads.map((each) => each >= room)).toEqual([true])
})

it('fills any size exactly, whatever is open', () => {
  for (const page of Object.keys(pages)) {
    for (const state of Object.keys(states)) {
      for (const size of [
        { width: 1, height: 1 },
        { width: 20, height: 5 },
        { width: 37, height: 11 },
        ...sizes,
      ]) {
        const lines = drawView(pictureOf(page, state, size)).map((each) => paintLine(each, plain))
        expect([page, state, size, lines.length]).toEqual([page, state, size, size.height])
        const widest = Math.max(...lines.map((each) => stringWidth(each)))
        expect(widest, `${page} ${state} ${size.width}`).toBeLessThanOrEqual(size.width)
      }
    }
  }
})

it('shows words of hosts without their control codes', () => {
  for (const page of Object.keys(pages)) {
    expect(textOf(pictureOf(page, 'failing', { width: 120, height: 40 }))).not.toMatch(
      /[^\n\P{C}]|[\u2028\u2029]/u,
    )
  }
})

it('says since when it is stale, and how long that is, and takes it back', () => {
  const size = { width: 80, height: 24 }
  const stale = dashboardAt(size, seen(normalStatus()), lost(nowMs + 42_000))
  expect(textOf(stale).split('\n')[0]).toMatch(/✖ stale since 14:15:20Z, 42s$/)
  const back = dashboardAt(
    size,
    seen(normalStatus()),
    lost(nowMs + 42_000),
    seen(normalStatus(), nowMs + 50_000),
  )
  expect(textOf(back).split('\n')[0]).toMatch(/● connected, as of 14:16:10Z$/)
})

it('calls nothing alive that it painted before', () => {
  const tones = drawView(pictureOf('fleets', 'stale', { width: 80, height: 24 }))
    .slice(2, -1)
    .flatMap((each) => each.map(({ tone }) => tone))
  expect(new Set(tones)).toEqual(new Set(['quiet']))
})

it('is stale too when nothing was said for long, though no connection broke', () => {
  const silent = dashboardAt({ width: 80, height: 24 }, seen(normalStatus()), {
    kind: 'clock',
    nowMs: nowMs + 16_000,
  })
  expect(textOf(silent)).toContain('✖ stale since 14:15:20Z, 16s')
})

it('says why there is nothing yet', () => {
  const size = { width: 80, height: 24 }
  expect(textOf(dashboardAt(size))).toContain('◌ connecting')
  expect(textOf(dashboardAt(size, lost(nowMs)))).toContain('is it running, and is this its context?')
})

it('says what it may not know', () => {
  const size = { width: 120, height: 40 }
  const text = textOf(
    dashboardAt(size, seen(normalStatus()), failed('events'), ...keys('\r\r'), failed('hosts', 'edge')),
  )
  expect(text).toContain('not known: you may not view it')
  expect(textOf(dashboardAt(size, seen(normalStatus()), failed('events')))).toContain(
    'not known: you may not view it',
  )
})

it('lists its keys', () => {
  const text = textOf(dashboardAt({ width: 60, height: 20 }, seen(normalStatus()), ...keys('?')))
  expect(text).toContain('approve the wave that waits')
  expect(text).toContain('any key: back')
})
