import { X509Certificate, createPublicKey } from 'node:crypto'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hostIdOf, identityOfCertificate } from '../proto/identity.ts'
import { createAuthority, openAuthority } from './certificate-authority.ts'

const run = promisify(execFile)
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-pki-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function makeRequest(
  curve = 'P-256',
  subject = '/CN=admin',
): Promise<{ readonly pem: string; readonly key: string }> {
  const key = join(dir, 'host.key')
  const csr = join(dir, 'host.csr')
  const subjectAltName = 'subjectAltName=URI:spiffe://bootfleet/operator/admin'
  await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-out', key])
  await run('openssl', ['req', '-new', '-key', key, '-subj', subject, '-addext', subjectAltName, '-out', csr])
  return { pem: await readFile(csr, 'utf8'), key: await readFile(key, 'utf8') }
}

describe('a host certificate', () => {
  it('takes only the public key of the request: the id follows from it, whatever names were asked for', async () => {
    const authority = await openAuthority(await createAuthority())
    const { pem, key } = await makeRequest()
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })

    const { hostId, certificatePem } = await authority.issueHost(pem, 60_000)

    expect(hostId).toBe(hostIdOf(spki))
    const certificate = new X509Certificate(certificatePem)
    expect(identityOfCertificate(certificate.raw, Date.now())).toEqual({ kind: 'host', hostId })
    expect(identityOfCertificate(certificate.raw, Date.now() + 61_000)).toBeNull()
    expect(certificate.subject).toBe('CN=host')
    expect(certificate.ca).toBe(false)
    expect(certificate.verify(createPublicKey(authority.certificatePem))).toBe(true)
    const paths = [join(dir, 'ca.pem'), join(dir, 'leaf.pem')] as const
    await writeFile(paths[0], authority.certificatePem)
    await writeFile(paths[1], certificatePem)
    await run('openssl', ['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ...paths])
  })

  it('is refused for another curve, a broken signature or text that is no request', async () => {
    const authority = await openAuthority(await createAuthority())
    const other = await makeRequest('P-384')
    await expect(authority.issueHost(other.pem, 1)).rejects.toThrow(/not P-256/)
    const { pem } = await makeRequest()
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    der.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1)
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    await expect(authority.issueHost(forged, 1)).rejects.toMatchObject({ code: 'RequestInvalid' })
    await expect(authority.issueHost('no request', 1)).rejects.toMatchObject({ code: 'RequestInvalid' })
  })
})
