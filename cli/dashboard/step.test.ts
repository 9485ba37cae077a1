import { describe, expect, it } from 'vitest'
import {
  answered,
  dashboardAt,
  effectsOf,
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
import { staleSince } from '../../proto/picture/picture.ts'
import { openPage } from './model.ts'
import type { Effect, Message } from './model.ts'
import { step } from './step.ts'

const size = { width: 80, height: 24 }

function asks(effects: readonly Effect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === 'ask' ? [`${effect.ask.kind} ${effect.ask.of}`] : []))
}

const clock = (afterMs: number): Message => ({ kind: 'clock', nowMs: nowMs + afterMs })

describe('moving', () => {
  const failing = dashboardAt(size, seen(failingStatus()))

  it.each([
    ['j', 'kiosk'],
    ['\u001b[B', 'kiosk'],
    ['\u001bOB', 'kiosk'],
    ['jjj', 'lab'],
    ['jjk', 'kiosk'],
    ['\u001b[F', 'lab'],
    ['\u001b[F\u001b[H', 'edge'],
    ['\u001b[6~', 'lab'],
    ['jj\u001b[5~', 'edge'],
  ])('%j marks %s', (sent, fleet) => {
    expect(openPage(dashboardAt(size, seen(failingStatus()), ...keys(sent))).selected).toBe(fleet)
  })

  it('keeps the mark on its fleet when the fleets change places', () => {
    const marked = [seen(normalStatus()), ...keys('j'), seen(failingStatus())]
    expect(textOf(dashboardAt(size, ...marked))).toMatch(/^▸ lab /m)
  })

  it('opens a fleet, its rollout and a host, and comes back', () => {
    const kinds = [...keys('\r\rj\r'), ...keys('\u001b'), ...keys('\u001b'), ...keys('\u001b')].map(
      (_, at, all) => {
        const hosts = answered({ kind: 'hosts', value: hostsOfEdge() }, 'edge')
        const before = all.slice(0, at + 1)
        const model = dashboardAt(
          size,
          seen(failingStatus()),
          ...before.slice(0, 2),
          hosts,
          ...before.slice(2),
        )
        return openPage(model).place
      },
    )
    expect(kinds.map(({ kind }) => kind)).toEqual([
      'fleet',
      'rollout',
      'rollout',
      'host',
      'rollout',
      'fleet',
      'fleets',
    ])
    expect(kinds[3]).toEqual({ kind: 'host', fleet: 'edge', host: 'till-3' })
  })

  it('opens nothing where there is nothing', () => {
    expect(openPage(dashboardAt(size, ...keys('\rjk'))).place).toEqual({ kind: 'fleets' })
    expect(failing.pages).toHaveLength(1)
  })
})

describe('the filter', () => {
  it('leaves rows with these letters, and is taken back before the page is left', () => {
    const typing = dashboardAt(size, seen(failingStatus()), ...keys('/KIO'))
    expect(textOf(typing)).toMatch(/^▸ kiosk/m)
    expect(textOf(typing)).not.toMatch(/^ {2}lab/m)
    const kept = keys('\r').reduce((model, key) => step(model, key).model, typing)
    expect(textOf(kept)).toContain('filter: KIO')
    const back = keys('\u001b').reduce((model, key) => step(model, key).model, kept)
    expect(textOf(back)).toMatch(/^ {2}lab/m)
  })

  it('takes letters that are orders elsewhere', () => {
    const typing = dashboardAt(size, seen(failingStatus()), ...keys('/qpa'))
    expect([openPage(typing).filter, typing.mode.kind]).toEqual(['qpa', 'filter'])
    expect(textOf(typing)).toContain('none has these letters')
  })
})

describe('asking for what the stream does not tell', () => {
  it('asks once for what is looked at, and again when something changed, but not at once', () => {
    const shown = dashboardAt(size, seen(normalStatus()))
    expect(asks(effectsOf(dashboardAt(size), seen(normalStatus())))).toEqual(['events '])
    const told = answered({ kind: 'events', value: [] })
    expect(asks(effectsOf(shown, told, clock(1_000), seen(normalStatus(), nowMs + 1_500)))).toEqual([])
    expect(asks(effectsOf(shown, told, seen(normalStatus(), nowMs + 1_500), clock(2_500)))).toEqual([
      'events ',
    ])
  })

  it('asks for the hosts of a rollout and for the reason of a host', () => {
    expect(asks(effectsOf(dashboardAt(size, seen(failingStatus())), ...keys('\r\r')))).toEqual([
      'events edge',
      'hosts edge',
    ])
    expect(asks(effectsOf(dashboardAt(size, seen(failingStatus())), ...keys('\rj\r')))).toEqual([
      'events edge',
      'hosts edge',
      'why till-17',
    ])
  })

  it('drops an answer about what is no longer looked at', () => {
    const model = dashboardAt(size, seen(failingStatus()), ...keys('\r\r'))
    const late = step(model, answered({ kind: 'hosts', value: hostsOfEdge() }, 'lab')).model
    expect([late.slots.hosts.value, step(model, failed('hosts', 'lab')).model.slots.hosts.failure]).toEqual([
      null,
      '',
    ])
  })

  it('asks for a status when the stream is silent, and believes the stream before the answer', () => {
    const silent = dashboardAt(size, seen(normalStatus()))
    expect(asks(effectsOf(silent, clock(4_000)))).not.toContain('status ')
    expect(asks(effectsOf(silent, clock(5_000)))).toContain('status ')
    const asking = step(silent, clock(5_000)).model
    const answer: Message = {
      ...answered({ kind: 'status', value: failingStatus() }),
      atMs: nowMs + 6_000,
    } as Message
    const told = step(asking, answer).model
    expect([told.status?.fleets.length, told.seenAtMs]).toEqual([3, nowMs + 6_000])
    const streamed = step(step(asking, seen(normalStatus(), nowMs + 5_500)).model, answer).model
    expect([streamed.status?.fleets.length, streamed.seenAtMs]).toEqual([2, nowMs + 5_500])
  })
})

describe('the connection', () => {
  it('is stale from when it was last heard of until it is heard again', () => {
    const model = dashboardAt(size, seen(normalStatus()), lost(nowMs + 9_000))
    expect(staleSince(model)).toBe(nowMs)
    expect(staleSince(step(model, seen(normalStatus(), nowMs + 12_000)).model)).toBe(null)
  })
})

it('quits with q and Ctrl-C, also from the help and the filter', () => {
  const model = dashboardAt(size, seen(normalStatus()))
  for (const sent of ['q', '\u0003', '?\u0003', '/\u0003', '\u0004']) {
    expect([sent, effectsOf(model, ...keys(sent)).at(-1)]).toEqual([sent, { kind: 'quit' }])
  }
})

it('follows a new size, and draws everything again', () => {
  const stepped = step(dashboardAt(size, seen(normalStatus())), {
    kind: 'resized',
    size: { width: 60, height: 20 },
  })
  expect(stepped.effects).toEqual([{ kind: 'redraw' }])
  expect(textOf(stepped.model).split('\n')).toHaveLength(21)
  expect(effectsOf(stepped.model, ...keys('\u000c'))).toEqual([{ kind: 'redraw' }])
})

describe('reading', () => {
  const small = { width: 60, height: 10 }
  const host = [
    seen(failingStatus()),
    ...keys('\rj\r'),
    answered({ kind: 'hosts', value: hostsOfEdge() }, 'edge'),
    answered({ kind: 'why', value: whyTill17 }, 'till-17'),
  ]
  const shown = (...messages: readonly Message[]): string => textOf(dashboardAt(small, ...messages))

  it('scrolls a host that is longer than the screen, no further than its end, and back', () => {
    expect(shown(...host)).toContain('lines 1–7 of 14')
    expect(shown(...host)).not.toContain('host id')
    expect(shown(...host, ...keys('jj\u001b[B'))).toContain('lines 4–10 of 14')
    const end = shown(...host, ...keys('\u001b[6~\u001b[6~'))
    expect(end).toContain('lines 8–14 of 14')
    expect(end).toContain('host id')
    expect(shown(...host, ...keys('\u001b[Fk'))).toContain('lines 7–13 of 14')
    expect(shown(...host, ...keys('\u001b[F\u001b[H'))).toBe(shown(...host))
  })

  it('shows all of a host that fits, and begins at the top where the next one is opened', () => {
    const tall = { width: 60, height: 20 }
    expect(textOf(dashboardAt(tall, ...host, ...keys('jjj')))).toBe(textOf(dashboardAt(tall, ...host)))
    expect(shown(...host, ...keys('\u001b[F'), ...keys('\u001b'), ...keys('\r'))).toContain('lines 1–7 of')
  })

  it('scrolls the help, and any other key leads back', () => {
    const help = [seen(failingStatus()), ...keys('?')]
    expect(shown(...help)).toContain('Keys')
    expect(shown(...help, ...keys('\u001b[F'))).toContain('bootfleet --help')
    expect(shown(...help, ...keys('jjx'))).toBe(shown(seen(failingStatus())))
    expect(dashboardAt(small, ...help, ...keys('jj')).mode).toEqual({ kind: 'help', scroll: 2 })
  })
})
