import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { identityUri } from '../../proto/identity.ts'
import type { Identity } from '../../proto/identity.ts'
import { makeTrust } from './trust.ts'
import type { TestTrust } from './trust.ts'

export type TestAuthority = {
  readonly caPem: string
  readonly directorKey: KeyObject
  readonly directorPem: string
  readonly trust: TestTrust
  readonly issue: (identity: Identity) => { readonly keyPem: string; readonly certificatePem: string }
  /** Files of the CA. */
  readonly files: { readonly certificate: string; readonly key: string }
  /** Sign the request in an identity directory as soon as it is there; `userFor` is of a NATS server with this CA. */
  readonly enrol: (
    directory: string,
    hostId: (spki: Buffer) => string,
    userFor?: (hostId: string, publicKey: string, nowMs: number) => Promise<string>,
  ) => Promise<string>
  readonly close: () => void
}

type Workshop = {
  readonly file: (name: string) => string
  readonly openssl: (...words: readonly string[]) => Buffer
}

/** A certificate authority made by openssl, which shares no code with us. */
export function openTestAuthority(): TestAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'bootfleet-ca-'))
  const workshop: Workshop = {
    file: (name) => join(directory, name),
    openssl: (...words) => execFileSync('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] }),
  }
  const { file, openssl } = workshop
  newKey(workshop, file('ca.key'))
  const subject = ['-subj', '/CN=test', '-days', '2']
  openssl('req', '-x509', '-new', '-key', file('ca.key'), ...subject, '-out', file('ca.pem'))
  const director = generateKeyPairSync('ed25519')
  const caPem = readFileSync(file('ca.pem'), 'utf8')
  const trust = makeTrust(director.publicKey, director.privateKey, caPem)
  const directorPem = director.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return {
    caPem,
    directorKey: director.privateKey,
    directorPem,
    trust,
    issue: (identity) => {
      newKey(workshop, file('leaf.key'))
      openssl('req', '-new', '-key', file('leaf.key'), '-subj', '/CN=leaf', '-out', file('leaf.csr'))
      const certificatePem = sign(workshop, file('leaf.csr'), identity)
      return { keyPem: readFileSync(file('leaf.key'), 'utf8'), certificatePem }
    },
    files: { certificate: file('ca.pem'), key: file('ca.key') },
    enrol: async (identityDirectory, hostId, userFor = async () => 'no.server.asks') => {
      const request = join(identityDirectory, 'request.csr')
      while (!existsSync(request)) await delay(5)
      const pem = openssl('req', '-in', request, '-verify', '-noout', '-pubkey').toString()
      const spki = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
      const id = hostId(spki)
      const certificate = sign(workshop, request, { kind: 'host', hostId: id })
      const natsKey = readFileSync(join(identityDirectory, 'nats.pub'), 'utf8').trim()
      writeFileSync(join(identityDirectory, 'nats.jwt'), await userFor(id, natsKey, Date.now()))
      copyFileSync(file('ca.pem'), join(identityDirectory, 'ca.pem'))
      writeFileSync(join(identityDirectory, 'trust.jsonl'), trust.first)
      writeFileSync(join(identityDirectory, 'certificate.pem'), certificate)
      return id
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}

function newKey({ openssl }: Workshop, path: string): void {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path)
}

function sign({ file, openssl }: Workshop, request: string, identity: Identity): string {
  writeFileSync(file('san'), `subjectAltName=URI:${identityUri(identity)}\n`)
  const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '1']
  return openssl('x509', '-req', '-in', request, ...authority, '-extfile', file('san')).toString()
}
