import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { openPki } from './pki-directory.ts'
import type { Pki } from './pki-directory.ts'
import { watchPki } from './watch-pki.ts'

const waiting = { timeout: 60_000, interval: 20 }
let dir: string
let ca: KeyAndCertificate
let authorities: string[]
let said: string[]
let changes: number
let stop: AbortController
let watching: Promise<void>
let pki: Pki

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-pki-'))
  ca = await createAuthority()
  await put('ca', ca)
  await put('server', await serverOf(ca))
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeFile(join(dir, 'director.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  authorities = [ca.certificatePem]
  said = []
  changes = 0
  stop = new AbortController()
  pki = await openPki(dir)
  const logger = pino({ level: 'info' }, { write: (line: string) => void said.push(line) })
  const onChange = (): void => {
    changes += 1
  }
  watching = watchPki({
    pki,
    authorities: () => authorities,
    onChange,
    logger,
    signal: stop.signal,
    pollMs: 10,
  })
})
afterEach(async () => {
  stop.abort()
  await watching
  await rm(dir, { recursive: true, force: true })
})

async function put(name: string, { keyPem, certificatePem }: KeyAndCertificate): Promise<void> {
  await writeFile(join(dir, `${name}.key`), keyPem)
  await writeFile(join(dir, `${name}.pem`), certificatePem)
}

async function serverOf(by: KeyAndCertificate): Promise<KeyAndCertificate> {
  return (await openAuthority(by)).issueServer({ dns: [], ip: [] })
}

describe('the certificates of a controller that runs', () => {
  it('are those in its folder, as soon as both halves of each are there', async () => {
    const before = pki.server.certificatePem
    const next = await serverOf(ca)
    await writeFile(join(dir, 'server.pem'), next.certificatePem)
    await expect.poll(() => said.join(''), waiting).toContain('no certificate for the key in server.key')
    expect([pki.server.certificatePem, changes]).toEqual([before, 0])
    await writeFile(join(dir, 'server.key'), next.keyPem)
    await expect.poll(() => pki.server.certificatePem, waiting).toBe(next.certificatePem)
    await expect.poll(() => changes, waiting).toBe(1)
    expect(said.join('')).not.toContain(next.keyPem.split('\n')[1])
  })

  it('stay while hosts would not follow those of another CA, and change once a bundle names it', async () => {
    const next = await createAuthority()
    await put('ca', next)
    await put('server', await serverOf(next))
    await expect.poll(() => said.join(''), waiting).toContain('rotate the bundle first')
    expect(pki.authority.certificatePem).toBe(ca.certificatePem)
    authorities = [ca.certificatePem, next.certificatePem]
    await expect.poll(() => pki.authority.certificatePem, waiting).toBe(next.certificatePem)
    await expect.poll(() => changes, waiting).toBeGreaterThan(0)
  })

  it('stay while the one of the server is by a CA that no bundle names', async () => {
    await put('server', await serverOf(await createAuthority()))
    await expect.poll(() => said.join(''), waiting).toContain('issued server.pem')
    expect(pki.server.certificatePem).not.toBe(await readFile(join(dir, 'server.pem'), 'utf8'))
  })

  it('are told to TLS anew when a bundle names another CA', async () => {
    authorities = [...authorities, (await createAuthority()).certificatePem]
    await expect.poll(() => changes, waiting).toBe(1)
  })
})
