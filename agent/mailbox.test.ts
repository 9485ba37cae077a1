import { expect, test } from 'vitest'
import { openMailbox } from './mailbox.ts'

const never = new AbortController().signal
const plan = (text: string): Uint8Array => Buffer.from(text)

test('a plan that arrives after a newer one does not push the newer one out', async () => {
  const mailbox = openMailbox()
  mailbox.putPlan(plan('14'))
  mailbox.putPlan(plan('13'))
  expect(await mailbox.next(null, never)).toEqual({ kind: 'plan', bytes: plan('14') })
  expect(await mailbox.next(null, never)).toEqual({ kind: 'plan', bytes: plan('13') })
})

test('unread plans are bounded, and the newest to arrive stay', async () => {
  const mailbox = openMailbox()
  for (let number = 1; number <= 100; number += 1) mailbox.putPlan(plan(String(number)))
  const read: string[] = []
  for (let mail = await mailbox.next(0, never); mail?.kind === 'plan'; mail = await mailbox.next(0, never)) {
    read.push(Buffer.from(mail.bytes).toString())
  }
  expect(read).toEqual(['93', '94', '95', '96', '97', '98', '99', '100'])
})

test('of what was seen of the machine only the newest is read, before any plan', async () => {
  const mailbox = openMailbox()
  const looked = (bootId: string) =>
    ({ kind: 'looked', facts: { bootId, current: null, default: null, deployments: [] } }) as const
  mailbox.putPlan(plan('1'))
  for (const bootId of ['a', 'b']) mailbox.putLook(looked(bootId))
  expect(await mailbox.next(null, never)).toEqual({ kind: 'looked', event: looked('b') })
  expect((await mailbox.next(null, never))?.kind).toBe('plan')
})

test('a result is read before any plan', async () => {
  const mailbox = openMailbox()
  mailbox.putPlan(plan('1'))
  mailbox.putResult({ kind: 'activated', operation: 1 })
  expect((await mailbox.next(null, never))?.kind).toBe('result')
  expect((await mailbox.next(null, never))?.kind).toBe('plan')
})
