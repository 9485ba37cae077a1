import type * as z from 'zod'
import { byCodeUnits } from './canonical-json.ts'
import type { Json } from './canonical-json.ts'
import { quote } from './issue.ts'
import { flawAt } from './located.ts'
import type { Complain, Located } from './located.ts'
import { didYouMean } from './spelling.ts'
import type { Fleet, ImageVerification, SourceFile, VerificationKey } from './types.ts'
import type { verifySchema } from './verify-schema.ts'

const maxKeyLength = 8 * 1024
const publicKeyPattern = /^\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/

/** Keys of whoever signs images; they are no desired state by themselves. */
export function isKeyFile(path: string): boolean {
  return path.endsWith('.pub')
}

export type KeyFiles = ReadonlyMap<string, SourceFile>

/** With the keys that it names, from the same commit. */
export function resolveVerification(
  current: Located,
  written: z.output<typeof verifySchema>,
  { complain, keyFiles }: { readonly complain: Complain; readonly keyFiles: KeyFiles },
): ImageVerification {
  const { configuredKeys = [], keyless = [], keys = [] } = written.cosign
  const root = current.file.root ?? ''
  const files = keys.flatMap((path, index): VerificationKey[] => {
    const at = ['spec', 'image', 'verify', 'cosign', 'keys', index]
    const refuse = (found: string, suggestion: () => string | null = () => null): VerificationKey[] => {
      const message = `spec.image.verify.cosign.keys[${index}]: ${found}`
      complain(current, () => flawAt(current, at, { message, suggestion: suggestion() }))
      return []
    }
    const pem = keyFiles.get(root + path)?.text
    if (pem === undefined) {
      const others = () =>
        [...keyFiles.keys()].flatMap((key) => (key.startsWith(root) ? [key.slice(root.length)] : []))
      return refuse(`there is no file ${quote(path)} in the source`, () => didYouMean(path, others()))
    }
    if (pem.length <= maxKeyLength && publicKeyPattern.test(pem)) return [{ kind: 'file', path, pem }]
    return refuse(`${quote(path)} is not one public key in PEM form, as "cosign public-key" writes it`)
  })
  const configured = configuredKeys.map((name): VerificationKey => ({ kind: 'configured', name }))
  return { keys: [...files, ...configured], signers: keyless }
}

/** What a fleet asks for; one that follows another asks for what that one does. */
export function verificationOf(fleets: readonly Fleet[], fleet: Fleet): ImageVerification | null {
  const { image } = fleet
  const followed = image.kind === 'fleet' ? fleets.find(({ name }) => name === image.fleet) : undefined
  // No commit is accepted in which a fleet follows itself, so that this ends.
  return followed === undefined ? fleet.verify : verificationOf(fleets, followed)
}

/** What it means, whatever its files are called and in whichever order it is written. */
export function canonicalVerification(verification: ImageVerification): Json {
  const keys = verification.keys.map((key) =>
    key.kind === 'configured'
      ? `configured ${key.name}`
      : `pem ${key.pem.replaceAll(/-----(?:BEGIN|END) PUBLIC KEY-----|\s/g, '')}`,
  )
  const signers = verification.signers.map(
    ({ issuer, subject, trustedRoot }) => `${trustedRoot} ${issuer} ${subject.kind} ${subject.value}`,
  )
  return { keys: asSet(keys), signers: asSet(signers) }
}

function asSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted(byCodeUnits)
}
