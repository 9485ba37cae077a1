import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hostIdOf } from '../../proto/identity.ts'
import { openTestAuthority } from '../testing/certificates.ts'
import type { TestAuthority } from '../testing/certificates.ts'
import { createCertificateRequest } from './certificate-request.ts'
import { openIdentity } from './identity.ts'

const log = pino({ level: 'silent' })

describe('an identity', () => {
  let authority: TestAuthority
  let directory: string
  let stop: AbortController
  const open = () => openIdentity({ directory, log, signal: stop.signal, pollMs: 10 })

  beforeEach(async () => {
    authority = openTestAuthority()
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-identity-'))
    stop = new AbortController()
  })

  afterEach(async () => {
    stop.abort()
    authority.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('is complete once the certificate for its request has come', async () => {
    const opening = open()
    const enrolledAs = await authority.enrol(directory, hostIdOf)
    const identity = await opening
    expect(identity.hostId).toBe(enrolledAs)
    expect(identity.hostId).toMatch(/^[a-z2-7]{26}$/)
    expect(identity.caPem).toBe(authority.caPem)
  })

  it('stays the same at the next start, with a key only its owner can read', async () => {
    const opening = open()
    await authority.enrol(directory, hostIdOf)
    const first = await opening
    const again = await open()
    expect([again.hostId, again.keyPem]).toEqual([first.hostId, first.keyPem])
    expect((await stat(join(directory, 'key.pem'))).mode & 0o777).toBe(0o600)
  })

  it('is refused when the certificate is for another key', async () => {
    const opening = open()
    await authority.enrol(directory, hostIdOf)
    await opening
    const { certificatePem } = authority.issue({ kind: 'host', hostId: 'a'.repeat(26) })
    await writeFile(join(directory, 'certificate.pem'), certificatePem)
    await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
  })

  it('is refused when the key is damaged', async () => {
    const opening = open()
    await authority.enrol(directory, hostIdOf)
    await opening
    await writeFile(join(directory, 'key.pem'), 'nothing')
    await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
  })

  it('is waited for until the agent is stopped', async () => {
    const opening = open()
    stop.abort()
    await expect(opening).rejects.toMatchObject({ code: 'Stopped' })
  })
})

it('a request is one that openssl verifies, with the key and the name in it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bootfleet-csr-'))
  try {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const path = join(directory, 'request.csr')
    await writeFile(path, createCertificateRequest(privateKey, 'x'.repeat(64)))
    const read = execFileSync('openssl', ['req', '-in', path, '-verify', '-noout', '-pubkey', '-subject'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    expect(read).toContain(publicKey.export({ type: 'spki', format: 'pem' }).toString().trim())
    expect(read).toContain(`CN = ${'x'.repeat(64)}`)
    const text = (await readFile(path, 'utf8')).replace(/A/, 'B')
    await writeFile(path, text)
    expect(() =>
      execFileSync('openssl', ['req', '-in', path, '-verify', '-noout'], { stdio: 'pipe' }),
    ).toThrow(/verif|load|request/i)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
