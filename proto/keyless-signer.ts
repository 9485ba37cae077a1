import { createHash, X509Certificate } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import type { Bundle } from '@sigstore/bundle'
import { TrustedRoot as TrustedRootMessage } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import type { SignedEntity } from '@sigstore/verify'
import * as z from 'zod'
import type { KeylessSigner, TrustedRoot } from './release-policy.ts'
import { rejected } from './release-verdict.ts'
import type { SignatureVerdict } from './release-verdict.ts'
import { parseStrictJson } from './strict-json.ts'
import { matchesWildcard } from './wildcard.ts'

export type ReadRoot =
  | { readonly kind: 'root'; readonly root: TrustedRoot }
  | { readonly kind: 'refused'; readonly detail: string }

const TRUSTED_ROOT_MAX_BYTES = 1024 * 1024
const CERTIFICATE_MAX_LENGTH = 16 * 1024
const LOG_ENTRY_MAX_LENGTH = 64 * 1024

const ValidFor = z.object({ start: z.iso.datetime({ offset: true }) })
const Authorities = z.array(z.object({ validFor: ValidFor })).optional()
const Logs = z.array(z.object({ publicKey: z.object({ validFor: ValidFor }) })).optional()
/** A missing start would be taken for "always". */
const Dated = z.object({
  tlogs: Logs,
  ctlogs: Logs,
  certificateAuthorities: Authorities,
  timestampAuthorities: Authorities,
})

/** A `trusted_root.json`. Never throws. */
export function readTrustedRoot(name: string, bytes: Uint8Array): ReadRoot {
  if (bytes.length > TRUSTED_ROOT_MAX_BYTES) {
    return { kind: 'refused', detail: `it has more than ${TRUSTED_ROOT_MAX_BYTES} bytes` }
  }
  try {
    const json = parseStrictJson(bytes)
    if (!Dated.safeParse(json).success) {
      return { kind: 'refused', detail: 'it does not say of each key and authority since when it counts' }
    }
    const material = toTrustMaterial(TrustedRootMessage.fromJSON(json))
    if (material.certificateAuthorities.length > 0 && material.tlogs.length > 0) {
      return { kind: 'root', root: { name, material } }
    }
    return { kind: 'refused', detail: 'it names no certificate authority, or no transparency log' }
  } catch {
    return { kind: 'refused', detail: 'it is no trusted_root.json of sigstore' }
  }
}

/** `json` as it was parsed; the statement inside is the caller's to judge. */
export function verifyBundle(json: unknown, signers: readonly KeylessSigner[]): SignatureVerdict {
  return verifyEntity(() => toSignedEntity(bundleFromJSON(json)), signers)
}

const Promised = z.object({
  SignedEntryTimestamp: z.string(),
  Payload: z.object({
    body: z.string(),
    integratedTime: z.int().positive(),
    logIndex: z.int().nonnegative(),
    logID: z.string().regex(/^[0-9a-f]{64}$/),
  }),
})

/** As cosign wrote it before bundles: certificate and what the log promised lie beside the signature. */
export function verifySignedBlob(
  found: {
    readonly payload: Uint8Array
    readonly certificate: string
    readonly logEntry: string | null
  },
  signature: Buffer,
  signers: readonly KeylessSigner[],
): SignatureVerdict {
  const { certificate, logEntry, payload } = found
  if (certificate.length > CERTIFICATE_MAX_LENGTH || (logEntry?.length ?? 0) > LOG_ENTRY_MAX_LENGTH) {
    return rejected({ kind: 'Malformed', detail: 'its certificate or its log entry is too large' })
  }
  const promised = Promised.safeParse(parseStrictJson(Buffer.from(logEntry ?? '')))
  if (!promised.success) {
    return rejected({ kind: 'Malformed', detail: 'it has a certificate, and no entry of a transparency log' })
  }
  return verifyEntity(() => {
    const bytes = Buffer.from(payload)
    return toSignedEntity(bundleOf({ ...promised.data, certificate, signature, bytes }), bytes)
  }, signers)
}

function bundleOf({
  Payload: { body, integratedTime, logID, logIndex },
  SignedEntryTimestamp: signedEntryTimestamp,
  bytes,
  certificate,
  signature,
}: z.infer<typeof Promised> & {
  readonly bytes: Buffer
  readonly certificate: string
  readonly signature: Buffer
}): Bundle {
  const digest = createHash('sha256').update(bytes).digest('base64')
  const rawBytes = new X509Certificate(certificate).raw.toString('base64')
  return bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes }] },
      tlogEntries: [
        {
          logIndex: String(logIndex),
          logId: { keyId: Buffer.from(logID, 'hex').toString('base64') },
          kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
          integratedTime: String(integratedTime),
          inclusionPromise: { signedEntryTimestamp },
          canonicalizedBody: body,
        },
      ],
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest },
      signature: signature.toString('base64'),
    },
  })
}

function verifyEntity(read: () => SignedEntity, signers: readonly KeylessSigner[]): SignatureVerdict {
  let other: { readonly issuer: string; readonly subject: string } | null = null
  let detail = 'nobody is trusted'
  for (const signer of signers) {
    const identity = identityOf(read, signer.root)
    if (typeof identity === 'string') detail = identity
    else if (isSigner(signer, identity)) {
      return { kind: 'verified', by: `${identity.subject} of ${identity.issuer}` }
    } else other = identity
  }
  if (other !== null) return rejected({ kind: 'AnotherSigner', ...other })
  return rejected({ kind: 'Malformed', detail })
}

type Identity = { readonly issuer: string; readonly subject: string }

/** Who signed, proven by the root, or why that is not proven. */
function identityOf(read: () => SignedEntity, { material, name }: TrustedRoot): Identity | string {
  try {
    // A root without logs of certificates belongs to an installation that has none.
    const ctlogThreshold = material.ctlogs.length > 0 ? 1 : 0
    const verifier = new Verifier(material, { ctlogThreshold, tlogThreshold: 1, timestampThreshold: 1 })
    const { identity } = verifier.verify(read())
    const issuer = identity?.extensions?.issuer
    const subject = identity?.subjectAlternativeName
    if (issuer === undefined || subject === undefined) return 'its certificate names nobody'
    return { issuer, subject }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    return `it is not proven by trusted root ${name} (${found.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)})`
  }
}

function isSigner({ issuer, subject }: KeylessSigner, found: Identity): boolean {
  if (found.issuer !== issuer) return false
  return subject.kind === 'exact'
    ? found.subject === subject.value
    : matchesWildcard(subject.value, found.subject)
}
