import { generateKeyPairSync } from 'node:crypto'
import { createUser } from '@nats-io/nkeys'
import { expect, it } from 'vitest'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { hostIdOf } from '../../proto/identity.ts'
import { returnSubject } from '../../proto/return-subject.ts'
import { hostIdOfRequest } from './pki-directory.ts'
import { readReturnRequest } from './return-request.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const hostId = hostIdOf(publicKey.export({ type: 'spki', format: 'der' }))

it('names the NATS user that the key signed, so that nobody gets one for their own', async () => {
  const natsUserPublicKey = createUser().getPublicKey()
  const request = createCertificateRequest(privateKey, returnSubject(natsUserPublicKey))
  expect(await readReturnRequest(request)).toEqual({ hostId, natsUserPublicKey })
})

it.each([
  ['to enrol or renew', hostId],
  ['for a user that is none', 'bootfleet return everybody'],
  ['for two', returnSubject(`${createUser().getPublicKey()} ${createUser().getPublicKey()}`)],
])('is refused when it was made %s', async (_, commonName) => {
  const request = createCertificateRequest(privateKey, commonName)
  await expect(readReturnRequest(request)).rejects.toMatchObject({ code: 'RequestInvalid' })
})

it('enrols nobody when it was heard and is sent again beside another NATS user', async () => {
  const heard = createCertificateRequest(privateKey, returnSubject(createUser().getPublicKey()))
  await expect(hostIdOfRequest(heard)).rejects.toMatchObject({
    code: 'RequestInvalid',
    message: expect.stringContaining('was made to come back') as string,
  })
  expect(await hostIdOfRequest(createCertificateRequest(privateKey, hostId))).toBe(hostId)
})

it('is refused when it was changed after it was signed', async () => {
  const pem = createCertificateRequest(privateKey, returnSubject(createUser().getPublicKey()))
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  // A letter of the user's key.
  const at = der.indexOf('bootfleet return U') + 20
  der[at] = der[at] === 0x41 ? 0x42 : 0x41
  const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  await expect(readReturnRequest(changed)).rejects.toMatchObject({ code: 'RequestInvalid' })
})
