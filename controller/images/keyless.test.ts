import { beforeAll, describe, expect, it } from 'vitest'
import { openPrivateSigstore } from '../../test/support/private-sigstore.ts'
import type { PrivateSigstore, Signer } from '../../test/support/private-sigstore.ts'
import { readTrustedRoot } from '../../proto/keyless-signer.ts'
import { verifyRelease } from '../../proto/release-signature.ts'
import type { FoundSignature, ReleaseVerdict } from '../../proto/release-verdict.ts'

const image = { repository: 'r.example/os', digest: `sha256:${'ab'.repeat(32)}` }
const release: Signer = { issuer: 'https://i.example', subject: 'https://f.example/os/release@refs/tags/1' }

let sigstore: PrivateSigstore
let stranger: PrivateSigstore
beforeAll(async () => {
  sigstore = await openPrivateSigstore()
  stranger = await openPrivateSigstore()
})

const forms = {
  async bundle(by: PrivateSigstore, signer: Signer): Promise<FoundSignature> {
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: 'ab'.repeat(32) } }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
    }
    return { kind: 'bundle', bytes: await by.bundle(signer, statement) }
  },
  async 'simple signing'(by: PrivateSigstore, signer: Signer): Promise<FoundSignature> {
    const critical = {
      identity: { 'docker-reference': image.repository },
      image: { 'docker-manifest-digest': image.digest },
      type: 'cosign container image signature',
    }
    const payload = Buffer.from(JSON.stringify({ critical }))
    return { kind: 'simple-signing', payload, ...(await by.simpleSigning(signer, payload)) }
  },
}

function judge(
  found: FoundSignature,
  subject = 'https://f.example/os/*@refs/tags/*',
  root = sigstore.trustedRoot,
): ReleaseVerdict {
  const read = readTrustedRoot('own', root)
  if (read.kind === 'refused') throw new Error(read.detail)
  const kind = subject.includes('*') ? 'pattern' : 'exact'
  const { issuer } = release
  const signers = [{ root: read.root, issuer, subject: { kind, value: subject } as const }]
  return verifyRelease(image, [found], { keys: [], signers })
}

describe.each(['bundle', 'simple signing'] as const)('somebody with a certificate, in a %s', (form) => {
  const signed = (signer = release, by = sigstore) => forms[form](by, signer)

  it('is known by issuer and subject, exactly or by a pattern', async () => {
    const by = `${release.subject} of ${release.issuer}`
    expect(judge(await signed())).toEqual({ kind: 'verified', by })
    expect(judge(await signed(), release.subject)).toEqual({ kind: 'verified', by })
  })

  it.each([
    { ...release, subject: 'https://f.example/other/release@refs/tags/1' },
    { ...release, issuer: 'https://evil.example' },
  ])('is somebody else as %o', async (signer) => {
    expect(judge(await signed(signer))).toMatchObject({ rejection: { kind: 'AnotherSigner', ...signer } })
  })

  it('is somebody else by a subject that differs from the one that is asked for', async () => {
    const found = await signed({ ...release, subject: `${release.subject}1` })
    expect(judge(found, release.subject)).toMatchObject({ rejection: { kind: 'AnotherSigner' } })
  })

  it('is nobody when the certificate does not say who vouches for the subject', async () => {
    const detail = 'its certificate names nobody'
    expect(judge(await signed({ ...release, issuer: '' }))).toMatchObject({ rejection: { detail } })
  })

  it('is nobody without the promise of a log of certificates, where the root has one', async () => {
    const { tlogs, ...others } = JSON.parse(sigstore.trustedRoot.toString())
    const root = Buffer.from(JSON.stringify({ ...others, tlogs, ctlogs: tlogs }))
    expect(judge(await signed(), release.subject, root)).toMatchObject({ rejection: { kind: 'Malformed' } })
  })

  it('is nobody by the certificate of another authority', async () => {
    expect(judge(await signed(release, stranger)).kind).toBe('unverified')
  })

  it('is nobody after the certificate has expired', async () => {
    const late = { ...release, loggedMs: Date.parse('2026-01-01T01:00:00Z') }
    expect(judge(await signed(late)).kind).toBe('unverified')
  })
})

it('a bundle by a key that is not asked for is told as such, and not as a broken certificate', async () => {
  const found = await forms.bundle(sigstore, release)
  if (found.kind !== 'bundle') throw new Error('not that form')
  const byKey = {
    ...JSON.parse(Buffer.from(found.bytes).toString()),
    verificationMaterial: { publicKey: { hint: '' } },
  }
  expect(judge({ kind: 'bundle', bytes: Buffer.from(JSON.stringify(byKey)) })).toMatchObject({
    rejection: { kind: 'AnotherKey' },
  })
})

it('a certificate without an entry in a log proves nothing', async () => {
  const found = await forms['simple signing'](sigstore, release)
  if (found.kind !== 'simple-signing') throw new Error('not that form')
  expect(judge({ ...found, logEntry: null })).toMatchObject({
    rejection: { kind: 'Malformed', detail: 'it has a certificate, and no entry of a transparency log' },
  })
  const detail = 'its certificate or its log entry is too large'
  for (const large of [
    { certificate: 'x'.repeat(20_000) },
    { logEntry: `${found.logEntry}${' '.repeat(70_000)}` },
  ]) {
    expect(judge({ ...found, ...large })).toMatchObject({ rejection: { kind: 'Malformed', detail } })
  }
})

it.each(['tlogs', 'certificateAuthorities'])(
  'a root does not count while one of %s has no beginning',
  (name) => {
    const [before = '', after = ''] = sigstore.trustedRoot.toString().split(`"${name}":`)
    const undated = Buffer.from(`${before}"${name}":${after.replace(/"start":"[^"]+"/, '')}`)
    expect(readTrustedRoot('own', undated)).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('since when'),
    })
  },
)

it('a bundle by a certificate that no log has seen proves nothing', async () => {
  const found = await forms.bundle(sigstore, release)
  if (found.kind !== 'bundle') throw new Error('not that form')
  const json = JSON.parse(Buffer.from(found.bytes).toString())
  const [certificate] = json.verificationMaterial.x509CertificateChain.certificates
  const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
  const unseen = { ...json, mediaType, verificationMaterial: { certificate, tlogEntries: [] } }
  expect(judge({ kind: 'bundle', bytes: Buffer.from(JSON.stringify(unseen)) })).toMatchObject({
    rejection: { kind: 'Malformed', detail: expect.stringContaining('expected 1 timestamps, got 0') },
  })
})

it('a root that is larger than any is not read', () => {
  const padded = Buffer.concat([sigstore.trustedRoot, Buffer.alloc(1024 * 1024, ' ')])
  expect(readTrustedRoot('own', padded)).toEqual({
    kind: 'refused',
    detail: 'it has more than 1048576 bytes',
  })
})
