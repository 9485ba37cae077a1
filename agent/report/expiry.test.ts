import { afterAll, expect, it } from 'vitest'
import { openTestAuthority } from '../testing/certificates.ts'
import { expiryNotice } from './expiry.ts'

const authority = openTestAuthority()
const { certificatePem } = authority.issue({ kind: 'controller' })
const DAY_MS = 24 * 3_600_000

afterAll(() => authority.close())

it('a certificate in force is not spoken of', () => {
  expect(expiryNotice(certificatePem, Date.now())).toBeNull()
})

it('an expired one is named as the reason, with what to do', () => {
  const notice = expiryNotice(certificatePem, Date.now() + 2 * DAY_MS)
  expect(notice).toMatch(/expired at \d{4}-.*; check the clock, or put a new certificate\.pem/)
})
