import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { identityUri } from '../../proto/identity.ts'
import type { Identity } from '../../proto/identity.ts'

export type TestAuthority = {
  readonly caPem: string
  readonly directorKey: KeyObject
  readonly directorPem: string
  readonly issue: (identity: Identity) => { readonly keyPem: string; readonly certificatePem: string }
  /** Sign the request in an identity directory as soon as it is there. */
  readonly enrol: (directory: string, hostId: (spki: Buffer) => string) => Promise<string>
  readonly close: () => void
}

/** A certificate authority made by openssl, which shares no code with us. */
export function openTestAuthority(): TestAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'bootfleet-ca-'))
  const file = (name: string) => join(directory, name)
  const openssl = (...words: readonly string[]) =>
    execFileSync('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const newKey = (path: string) =>
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path)
  newKey(file('ca.key'))
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    file('ca.key'),
    '-subj',
    '/CN=test',
    '-days',
    '2',
    '-out',
    file('ca.pem'),
  )
  const director = generateKeyPairSync('ed25519')
  const directorPem = director.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const sign = (request: string, identity: Identity): string => {
    writeFileSync(file('san'), `subjectAltName=URI:${identityUri(identity)}\n`)
    const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    return openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...authority,
      '-days',
      '1',
      '-extfile',
      file('san'),
    ).toString()
  }
  return {
    caPem: readFileSync(file('ca.pem'), 'utf8'),
    directorKey: director.privateKey,
    directorPem,
    issue: (identity) => {
      newKey(file('leaf.key'))
      openssl('req', '-new', '-key', file('leaf.key'), '-subj', '/CN=leaf', '-out', file('leaf.csr'))
      return {
        keyPem: readFileSync(file('leaf.key'), 'utf8'),
        certificatePem: sign(file('leaf.csr'), identity),
      }
    },
    enrol: async (identityDirectory, hostId) => {
      const request = join(identityDirectory, 'request.csr')
      while (!existsSync(request)) await delay(5)
      const pem = openssl('req', '-in', request, '-verify', '-noout', '-pubkey').toString()
      const spki = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
      const id = hostId(spki)
      writeFileSync(join(identityDirectory, 'ca.pem'), readFileSync(file('ca.pem')))
      writeFileSync(join(identityDirectory, 'director.pem'), directorPem)
      writeFileSync(file('certificate'), sign(request, { kind: 'host', hostId: id }))
      copyFileSync(file('certificate'), join(identityDirectory, 'certificate.pem'))
      return id
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}
