import type { ReleasedImage, ReleasePolicy } from './release-policy.ts'

/** What lies beside an image in its registry, in one of cosign's two forms, as it was found there. */
export type FoundSignature =
  | {
      readonly kind: 'simple-signing'
      readonly payload: Uint8Array
      /** Base64. */
      readonly signature: string
      /** PEM; null: signed by a key. */
      readonly certificate: string | null
      /** JSON: what the transparency log promised. */
      readonly logEntry: string | null
    }
  | { readonly kind: 'bundle'; readonly bytes: Uint8Array }
  /** Not read, as it is larger than any signature. */
  | { readonly kind: 'oversize'; readonly bytes: number }

/** Why one signature does not count. */
export type Rejection =
  | { readonly kind: 'Malformed'; readonly detail: string }
  | { readonly kind: 'TooLarge'; readonly bytes: number; readonly maxBytes: number }
  /** Of no key that may sign: another one, or what was signed has changed since. */
  | { readonly kind: 'AnotherKey' }
  | { readonly kind: 'AnotherSigner'; readonly issuer: string; readonly subject: string }
  /** Made by one that may sign releases, about something that is none, like a list of packages. */
  | { readonly kind: 'NoRelease'; readonly about: string }
  | { readonly kind: 'AnotherDigest'; readonly digest: string }
  | { readonly kind: 'AnotherRepository'; readonly repository: string }

export type SignatureVerdict =
  | { readonly kind: 'verified'; readonly by: string }
  | { readonly kind: 'rejected'; readonly rejection: Rejection }

export type ReleaseVerdict =
  | { readonly kind: 'verified'; readonly by: string }
  /** `rejection` of the signature that came nearest; null: there is none. */
  | { readonly kind: 'unverified'; readonly rejection: Rejection | null; readonly message: string }

export function rejected(rejection: Rejection): SignatureVerdict {
  return { kind: 'rejected', rejection }
}

/** What was looked for, and what was found. */
export function unverifiedSentence(
  { digest, repository }: ReleasedImage,
  { keys, signers }: ReleasePolicy,
  rejection: Rejection | null,
): string {
  const wanted = [
    ...keys.map(({ name }) => `key ${name}`),
    ...signers.map(({ issuer, subject }) => `${subject.value} of ${issuer}`),
  ]
  const found = rejection === null ? 'no signature was found' : rejectionSentence(rejection)
  return `verifying ${repository}@${digest}: a release signature by ${wanted.join(' or ')} is needed, and ${found}`
}

export function rejectionSentence(rejection: Rejection): string {
  switch (rejection.kind) {
    case 'Malformed':
      return `what was found is no signature: ${rejection.detail}`
    case 'TooLarge':
      return `what was found has ${rejection.bytes} bytes, more than the ${rejection.maxBytes} of any signature`
    case 'AnotherKey':
      return 'it is signed by another key, or was changed after it was signed'
    case 'AnotherSigner':
      return `it is signed by ${shown(rejection.subject)} of ${shown(rejection.issuer)}`
    case 'NoRelease':
      return `what is signed is no release but ${shown(rejection.about)}`
    case 'AnotherDigest':
      return `the signature is for another image, ${shown(rejection.digest)}`
    case 'AnotherRepository':
      return `the signature names another repository, ${shown(rejection.repository)}`
  }
}

/** What others wrote, on one short line. */
function shown(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?')
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain
}
