import { expect, test } from 'vitest'
import { digestOf, imageOf, openRecords } from '../../test/support/stored-records.ts'
import type { Order, OrderPlan, RolloutOrder } from './order.ts'
import { planOrder } from './plan.ts'

type Given = Parameters<typeof openRecords>[0]

const said = { actor: 'kim', reason: 'looks good' }

function order(given: Given, kind: RolloutOrder['kind'], wave: string | null = null): OrderPlan {
  return planOrder(openRecords(given), { kind, target: 'edge', wave, ...said })
}

const paused = (kind: string): Given => ({
  rollout: {
    state: { kind: 'Paused', cause: { kind, actor: 'lee', reason: 'lunch', message: 'broken', atMs: 0 } },
  },
})
const denied: Given = {
  ...paused('Failure'),
  fleet: { denied: [{ digest: digestOf('1'), reason: 'till-17 failed', atMs: 0 }] },
}
const aborted = { rollout: { state: { kind: 'Aborted', atMs: 0, actor: 'lee', reason: '' } } }
const ended = { rollout: { state: { kind: 'Succeeded', atMs: 0 } } }
const soaking = { waves: [{ state: 'Soaking', soakMs: 9_000 }], hosts: { a: {} } }
const asking = { approval: { approvers: 1, expiresAfterMs: 9_000 }, state: 'AwaitingApproval' }
const approved = { ...asking, state: 'Succeeded', approved: { actor: 'lee', reason: 'fine', atMs: 0 } }
const rollout = { rolloutId: 'edge.1', ...said }

test('a rollout is found by its id and by its fleet', () => {
  const state = openRecords({})
  for (const target of ['edge', 'edge.1']) {
    const { event } = planOrder(state, { kind: 'pause', target, wave: null, ...said })
    expect(event).toEqual({ kind: 'pause', ...rollout })
  }
  const nothing: Order = { kind: 'pause', target: 'nothing', wave: null, ...said }
  expect(() => planOrder(state, nothing)).toThrow('there is no such fleet or rollout')
  const fresh = openRecords({ fleet: { rolloutId: null } })
  expect(() => planOrder(fresh, { ...nothing, target: 'edge' })).toThrow('the fleet has no rollout yet')
})

test('pausing what has ended is refused, and what is paused says by whom', () => {
  expect(() => order(ended, 'pause')).toThrow(
    'pausing rollout edge.1: it has succeeded; only one that is under way',
  )
  const again = order(paused('User'), 'pause')
  expect([again.event, again.message]).toEqual([null, expect.stringContaining('paused by lee: "lunch"')])
})

test('resuming works on a pause, and not when the digest is denied', () => {
  expect(order(paused('User'), 'resume').event).toEqual({ kind: 'resume', ...rollout })
  expect(order({}, 'resume')).toMatchObject({
    event: null,
    message: expect.stringContaining('is not paused'),
  })
  expect(() => order(denied, 'resume')).toThrow('git must name another digest')
  expect(() => order(ended, 'resume')).toThrow('it has succeeded')
})

test('resuming at a wave that must not be empty says that it pauses again, and what goes on', () => {
  const empty = { ...paused('Inconclusive'), waves: [{ onEmpty: 'Block' }], hosts: {} }
  expect(order(empty, 'resume').message).toContain(
    'pauses again unless one has joined; "bootfleet promote" goes',
  )
  for (const given of [
    { ...empty, waves: [{ onEmpty: 'Skip' }] },
    { ...empty, ...paused('User') },
  ]) {
    expect(order(given, 'resume').message).toContain('its gate is judged again')
  }
})

test('where two must approve, one person counts once and nobody promotes past it', () => {
  const approval = { approvers: 2, expiresAfterMs: 9_000 }
  const once = { ...asking, approval, approvals: [{ actor: 'lee', reason: 'fine', atMs: 0 }] }
  expect(order({ waves: [{ ...asking, approval }] }, 'approve').message).toContain(
    'wave "canary" is approved, 1 of 2: it waits for another person',
  )
  expect(order({ waves: [once] }, 'approve').message).toMatch(/wave "canary" is approved$/)
  const own = { ...once, approvals: [{ actor: said.actor, reason: '', atMs: 0 }] }
  expect(order({ waves: [own] }, 'approve')).toMatchObject({
    event: null,
    message: expect.stringContaining(
      'was approved by you already, by kim at 1970-01-01T00:00:00.000Z; it waits for others',
    ),
  })
  expect(() => order({ waves: [once] }, 'promote')).toThrow(
    '2 people must approve wave "canary", and nobody alone passes that',
  )
})

test('an approval names the wave that asks, once, also when the time for it is over', () => {
  const event = { kind: 'approve', wave: 'canary', ...rollout }
  expect(order({ waves: [asking] }, 'approve').event).toEqual(event)
  expect(order({ waves: [asking], ...paused('Approval') }, 'approve').event).toEqual(event)
  expect(order({ waves: [asking], ...paused('User') }, 'approve')).toMatchObject({
    event,
    message: expect.stringContaining('wave "canary" is approved; it is still paused'),
  })
  expect(() => order({}, 'approve')).toThrow('wave "canary" is under way; nothing waits for approval')
  expect(() => order({ waves: [asking] }, 'approve', 'rest')).toThrow('looking for wave rest')
})

test('who approves twice is told who approved first, and approves no later wave', () => {
  const given = { waves: [approved, { ...asking, name: 'rest' }] }
  const again = order(given, 'approve', 'canary')
  expect(again).toMatchObject({
    event: null,
    message:
      'rollout/edge.1 of fleet edge: wave "canary" was approved already, by lee at 1970-01-01T00:00:00.000Z: "fine"',
  })
  expect(order({ waves: [approved, { name: 'rest' }] }, 'approve').event).toBeNull()
  expect(order({ waves: [approved] }, 'approve').event).toBeNull()
  expect(() => order({ waves: [{ state: 'Succeeded' }], ...ended }, 'approve')).toThrow('it has succeeded')
})

test('a promotion names the wave that the rollout is at, and no other', () => {
  const promoted = { state: 'Succeeded', promoted: { gate: 'Soak', actor: 'lee', reason: '', atMs: 0 } }
  expect(order(soaking, 'promote')).toMatchObject({
    event: { kind: 'promote', wave: 'canary', ...rollout },
    message: expect.stringContaining('wave "canary" is promoted: its gate "Soak" is passed'),
  })
  expect(order({ ...paused('Failure') }, 'promote').message).toContain('its gate "Failures" is passed')
  expect(order({ waves: [promoted, { name: 'rest' }] }, 'promote', 'canary').event).toBeNull()
  expect(() => order({ waves: [{ state: 'WaitingWindow' }] }, 'promote')).toThrow('only a gate')
  const waves = [{}, { name: 'rest', state: 'Pending' }]
  expect(() => order({ waves }, 'promote', 'rest')).toThrow('it is under way, and wave "rest" has not begun')
  expect(() => order({ waves: [{ state: 'Succeeded' }], ...ended }, 'promote')).toThrow('it has succeeded')
  expect(() => order(aborted, 'promote')).toThrow('it was aborted')
  expect(() => order(denied, 'promote')).toThrow('is denied')
})

test('what runs or is paused can be aborted, once', () => {
  expect(order({}, 'abort').event).toEqual({ kind: 'abort', ...rollout })
  expect(order(paused('Failure'), 'abort').event).not.toBeNull()
  expect(order(aborted, 'abort').message).toContain('was aborted already, by lee')
  expect(() => order(ended, 'abort')).toThrow('it has succeeded')
})

test('a rollback needs something to go back to', () => {
  const from = { revision: 'r0', rolloutId: 'edge.0', image: imageOf('0') }
  expect(order({ rollout: { from } }, 'rollback').event).toEqual({ kind: 'rollback', ...rollout })
  expect(() => order({}, 'rollback')).toThrow('nothing to go back to')
  expect(() => order({ rollout: { from: { ...from, image: imageOf('1') } } }, 'rollback')).toThrow(
    'nothing to go',
  )
  expect(() => order(ended, 'rollback')).toThrow('it succeeded; let git name')
  const back = { rollout: { from, state: { kind: 'RolledBack', atMs: 0, cause: '' } } }
  expect(order(back, 'rollback').message).toContain('was rolled back already')
  for (const [kind, found] of [
    ['RollingBack', 'is rolling back already'],
    ['RollbackFailed', 'hosts failed on the way'],
  ] as const) {
    const going = { rollout: { from, state: { kind, atMs: 0, cause: '' } } }
    expect(order(going, 'rollback')).toMatchObject({ event: null, message: expect.stringContaining(found) })
  }
  const replaced = { rollout: { from, state: { kind: 'Superseded', atMs: 0, by: 'edge.2' } } }
  expect(() => order(replaced, 'rollback')).toThrow('rollout edge.2 replaced it')
})

test('a retry takes hosts that failed, all of them or one by name or id', () => {
  const retry = (given: Given, host: string | null, target = 'edge'): OrderPlan =>
    planOrder(openRecords({ hosts: { a: {} }, ...given }), { kind: 'retry', target, host, ...said })
  const failed = { grants: [{ phase: 'Failed', message: 'web-up' }] }
  const event = { kind: 'retry', ...rollout }
  expect(retry(failed, null)).toMatchObject({ event: { ...event, hostId: null } })
  for (const host of ['a', 'till-a']) expect(retry(failed, host).event).toEqual({ ...event, hostId: 'a' })
  expect(retry(aborted, null).event).toEqual({ ...event, hostId: null })
  const begun = {
    rollout: { ...aborted.rollout, log: [{ atMs: 0, actor: 'lee', verb: 'retry', reason: '' }] },
  }
  expect(retry(begun, null).event).toBeNull()
  expect(() => retry({}, null)).toThrow('none of its hosts failed')
  expect(() => retry({}, 'till-a')).toThrow(
    'retrying host till-a in rollout edge.1: it has not got its turn yet',
  )
  expect(() => retry(failed, 'till-b')).toThrow('there is no such host')
  expect(() => retry(failed, 'till-a', '')).toThrow('no fleet alone selects it')
  expect(() => retry({ ...failed, ...denied }, null)).toThrow('is denied')
  const back = { rollout: { state: { kind: 'RollbackFailed', atMs: 0, cause: '' } } }
  const failedBack = { grants: [{ phase: 'Failed', message: 'web-up', direction: 'Back' }] }
  expect(retry({ ...failedBack, ...denied, ...back }, null).event).not.toBeNull()
  for (const host of ['a', null]) {
    expect(() => retry({ ...failed, ...denied, ...back }, host)).toThrow('only hosts that failed on the way')
    const gone = { rollout: { state: { kind: 'RolledBack', atMs: 0, cause: '' } } }
    expect(() => retry({ ...failed, ...gone }, host)).toThrow('another rollout begins by itself')
  }
  const later = { fleet: { rolloutId: 'edge.2' } }
  expect(() => retry({ ...failed, ...later }, null, 'edge.1')).toThrow(
    'rollout edge.2 of its fleet came after it',
  )
})
