import { h } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { expect, it } from 'vitest'
import { failingStatus, normalStatus, nowMs } from '../../../test/support/dashboard.ts'
import { readingOf } from '../../../test/support/web-page.ts'
import { beginModel, step } from './model.ts'
import type { Message, Model } from './model.ts'
import type { Place } from './place.ts'
import { App } from './view.ts'
import { decodeReading, encodeReading } from './wire.ts'

const wall: Place = { kind: 'wall' }
const edge: Place = { kind: 'fleet', fleet: 'edge' }
const till17: Place = { kind: 'host', host: 'till-17' }

/** As it comes over the wire. */
function modelOf(place: Place, status = normalStatus(), ...more: readonly Message[]): Model {
  const reading = decodeReading(encodeReading(readingOf(status, place)))
  const read: Message = { kind: 'read', place, reading, atMs: nowMs }
  return [read, ...more].reduce(step, beginModel(place, nowMs))
}
const htmlOf = (model: Model): string => renderToString(h(App, { model }))
/** As it is read out: without what is hidden from that. */
const textOf = (model: Model): string =>
  htmlOf(model)
    .replaceAll(/<(\w+)[^>]*aria-hidden="true"[^>]*>.*?<\/\1>/g, '')
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll('&quot;', '"')

it('the wall has every fleet, worst first, with its verdict, its counts and the sentence that says why', () => {
  const html = htmlOf(modelOf(wall, failingStatus()))
  expect([...html.matchAll(/href="#\/fleet\/(\w+)"/g)].map(([, name]) => name)).toEqual([
    'edge',
    'kiosk',
    'lab',
  ])
  const text = textOf(modelOf(wall, failingStatus()))
  expect(text).toContain('Paused13/120 updated · 117/120 healthypaused (Failure): 2 of 12 hosts')
  expect(text).toContain('commit c0ffee0 of main is rejected: edge.yaml:5:3: unknown field "selektor"')
})

it('a fleet has its waves, what each gate still asks, its hosts worst first, and orders with who gave them', () => {
  const text = textOf(modelOf(edge))
  expect(text).toMatch(
    /canarySucceeded1\/1 done.*tenthSoaking12\/12 done.*soaked 2m00s of 12h00m.*restPending0\/107 done/,
  )
  expect(text).toMatch(
    /till-17RolledBack.*till-3Pending.*not connected.*till-2Rebooting.*db-1ReportOnly.*quay\.example/,
  )
  expect(text).toContain('approve by kim: "looks good"')
  expect(text).toContain('ETA not before')
  expect(text).toMatch(
    /Budgets, windows and freezes1 of at most 12 restarting.*opens Thu 22:00 Europe\/Berlin/,
  )
})

it('a host has what keeps it, what comes next, how it came to this, and what it saw', () => {
  const text = textOf(modelOf(till17))
  expect(text).toContain('RolledBack of fleet edge, since 6m00s ago')
  expect(text).toContain('health check unit:sshd.service failed twice; it runs 42.0.9 again')
  expect(text).toMatch(/Failed: sha256:9c41\w{60}Next: nothing by itself/)
  expect(text).toMatch(/Commit3f2a91c0ffee.*Digest.*Rollout.*Wave.*Boot/)
  expect(text).toContain('sshd.service: exited with status 1')
})

it('nothing that a host says can turn the direction of writing or hide what follows', () => {
  const html = htmlOf(modelOf(wall, failingStatus()))
  expect(html).toContain('�[2J�[1;1Hall is well  �gniht yna')
  expect(html).not.toMatch(/\p{Cf}/u)
})

it('markup in what a host says is text', () => {
  const status = failingStatus()
  for (const fleet of status.fleets) fleet.message = '<img src=x onerror=alert(1)>'
  expect(htmlOf(modelOf(wall, status))).not.toContain('<img')
})

it('a place that is not there is said to be none that one may see', () => {
  expect(textOf(modelOf({ kind: 'fleet', fleet: 'gone' }))).toContain(
    'there is no fleet gone that you may see',
  )
})

it('only the word for the connection is announced, and it does not tick', () => {
  const announced = (model: Model): readonly string[] =>
    [...htmlOf(model).matchAll(/role="status">(.*?)<\/span><span class="age"/g)].map(([, html = '']) =>
      html.replaceAll(/<[^>]+>/g, ''),
    )
  const later = (ms: number): Message => ({ kind: 'clock', nowMs: nowMs + ms })
  const lost: Message = { kind: 'lost', why: 'gone', atMs: nowMs + 1_000 }
  expect(announced(beginModel(wall, nowMs))).toEqual(['◌ connecting'])
  expect(announced(step(beginModel(wall, nowMs), lost))).toEqual(['✖ no connection'])
  expect(announced(modelOf(wall))).toEqual(['● live'])
  expect(announced(modelOf(wall, normalStatus(), later(9_000)))).toEqual(['● live'])
  expect(announced(modelOf(wall, normalStatus(), lost))).toEqual(['✖ stale since 14:15:20Z'])
  expect(announced(modelOf(wall, normalStatus(), lost, later(9_000)))).toEqual(['✖ stale since 14:15:20Z'])
  const text = textOf(modelOf(wall, normalStatus(), lost))
  expect(text).toContain('what is below is of 14:15:20Z: gone; trying again')
  expect(text).toContain('13/120 updated')
})
