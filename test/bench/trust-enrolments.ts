import { generateKeyPairSync } from 'node:crypto'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'

const COUNT = 1_000
const AT_ONCE = 8
const DAY_MS = 24 * 60 * 60 * 1000

/** From a new key over its request to the certificate for it: what an enrolment takes beside the way through network and store. */
export async function measureEnrolments(): Promise<{ readonly count: number; readonly seconds: number }> {
  const authority = await openAuthority(await createAuthority())
  let begun = 0
  const enrol = async (): Promise<void> => {
    while (begun < COUNT) {
      begun += 1
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      await authority.issueHost(createCertificateRequest(privateKey, 'host'), DAY_MS)
    }
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, () => enrol()))
  return { count: COUNT, seconds: (performance.now() - startMs) / 1000 }
}
