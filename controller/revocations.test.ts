import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRevocations } from './revocations.ts'
import type { EnrolmentRecord } from './rollout/records.ts'

const record: EnrolmentRecord = { hostId: 'a'.repeat(26), name: 'till-1', labels: {}, enrolledAtMs: 1 }
const revoked = { atMs: 5, actor: 'kim', reason: 'stolen' }
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-revocations-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

it('a host that was revoked stays so though the store went back to a time before, or was lost', async () => {
  await (await openRevocations(dir)).keep(record.hostId, revoked, 5)
  const { applied } = await openRevocations(dir)
  expect(applied(record).revoked).toEqual(revoked)
  expect(applied({ ...record, hostId: 'b'.repeat(26) }).revoked).toBeUndefined()
})

it('a host that a person enrolled again is trusted though the store went back to its revocation', async () => {
  const { keep, applied } = await openRevocations(dir)
  await keep(record.hostId, null, 7)
  expect(applied({ ...record, revoked }).revoked).toBeUndefined()
})

it('a later revocation that only the store holds counts, and is remembered', async () => {
  const { keep, applied } = await openRevocations(dir)
  await keep(record.hostId, null, 3)
  expect(applied({ ...record, revoked }).revoked).toEqual(revoked)
  expect(applied(record).revoked).toEqual(revoked)
})

it('a damaged file stops the start, for nobody could say who is revoked', async () => {
  await writeFile(join(dir, 'revocations.json'), '{')
  await expect(openRevocations(dir)).rejects.toMatchObject({ code: 'ConfigInvalid' })
})
