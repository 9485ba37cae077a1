import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hostIdOf, identityOfCertificate, identityUri, parseIdentityUri } from './identity.ts'
import { isHostId, planSubject } from './subjects.ts'

const id = 'abcdefghijklmnopqrstuvwx23'
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bootfleet-identity-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function certificate(subjectAltName: string): Buffer {
  const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.der'), '-outform', 'DER']
  const subject = ['-subj', '/CN=anything', '-addext', `subjectAltName=${subjectAltName}`, '-days', '2']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...subject], { stdio: 'ignore' })
  return readFileSync(join(dir, 'cert.der'))
}

test('every identity survives the way through its URI', () => {
  const identities = [
    { kind: 'host', hostId: id },
    { kind: 'operator', name: 'kim' },
    { kind: 'operator', name: 'kim', login: `ssh/${'ab'.repeat(32)}` },
    { kind: 'operator', name: 'kim', login: `oidc/${'ab'.repeat(32)}` },
    { kind: 'controller' },
    { kind: 'nats' },
  ] as const
  for (const identity of identities) expect(parseIdentityUri(identityUri(identity))).toEqual(identity)
})

test.each([
  'spiffe://bootfleet/host/*',
  'spiffe://bootfleet/host/>',
  `spiffe://bootfleet/host/${id}/x`,
  `spiffe://bootfleet/host/${id.toUpperCase()}`,
  `spiffe://other/host/${id}`,
  'spiffe://bootfleet/controller/x',
  'spiffe://bootfleet/operator/',
  'spiffe://bootfleet/operator/kim/',
  'spiffe://bootfleet/operator/kim/ssh',
  'spiffe://bootfleet/operator/kim/ssh/',
  `spiffe://bootfleet/operator/kim/ssh/${'AB'.repeat(32)}`,
  `spiffe://bootfleet/operator/kim/ssh/${'ab'.repeat(32)}/x`,
  `spiffe://bootfleet/operator/kim/saml/${'ab'.repeat(32)}`,
  'spiffe://bootfleet/',
  '',
])('%j is nobody', (uri) => {
  expect(parseIdentityUri(uri)).toBeNull()
})

test('a certificate speaks for its one URI and only while it is valid', () => {
  const der = certificate(`URI:spiffe://bootfleet/host/${id}`)
  const now = Date.now()
  expect(identityOfCertificate(der, now)).toEqual({ kind: 'host', hostId: id })
  expect(identityOfCertificate(der, now + 3 * 86_400_000)).toBeNull()
  expect(identityOfCertificate(der, now - 86_400_000)).toBeNull()
})

test('a certificate with two URIs, a URI hidden in a DNS name, or none speaks for nobody', () => {
  const uri = `spiffe://bootfleet/host/${id}`
  expect(
    identityOfCertificate(certificate(`URI:${uri},URI:spiffe://bootfleet/controller`), Date.now()),
  ).toBeNull()
  expect(identityOfCertificate(certificate(`DNS:URI:${uri}`), Date.now())).toBeNull()
  expect(identityOfCertificate(certificate('DNS:localhost'), Date.now())).toBeNull()
})

test('a host id is the base32 that coreutils prints for the hash of the key', () => {
  certificate('DNS:localhost')
  const key = createPublicKey(createPrivateKey(readFileSync(join(dir, 'key.pem'))))
  const spki = key.export({ type: 'spki', format: 'der' })
  const hash = createHash('sha256').update(spki).digest()
  const expected = execFileSync('base32', { input: hash, encoding: 'utf8' }).toLowerCase().slice(0, 26)
  expect(hostIdOf(spki)).toBe(expected)
  expect(isHostId(hostIdOf(spki))).toBe(true)
})

test('no subject is built from a wildcard', () => {
  expect(planSubject(id)).toBe(`plan.${id}`)
  for (const bad of ['*', '>', 'a.b', '', id.slice(1)]) expect(() => planSubject(bad)).toThrow(RangeError)
})
