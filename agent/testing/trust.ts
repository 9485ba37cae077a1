import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { keyIdOf } from '../../proto/envelope.ts'
import type { TrustContent } from '../../proto/trust-bundle.ts'
import { sealBundle } from '../../proto/trust-chain.ts'

export type TestTrust = {
  /** The first bundle, signed by its one root key and by the director. */
  readonly first: Uint8Array
  /** Its successor in which `directors` may sign plans; `changes` may spoil it. */
  readonly next: (directors: readonly KeyObject[], changes?: Partial<TrustContent>) => Uint8Array
}

const NO_CA = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'
const DAY_MS = 24 * 60 * 60 * 1000

export function makeTrust(director: KeyObject, directorPrivate: KeyObject, caPem = NO_CA): TestTrust {
  const root = generateKeyPairSync('ed25519')
  const content = (number: number, directors: readonly KeyObject[]): TrustContent => ({
    version: 1,
    number,
    issuedAt: new Date(Date.now() - DAY_MS).toISOString(),
    expiresAt: new Date(Date.now() + DAY_MS).toISOString(),
    keys: [root.publicKey, ...directors].map((key) => ({
      id: keyIdOf(key),
      publicKey: key.export({ type: 'spki', format: 'pem' }).toString(),
    })),
    roles: {
      root: { threshold: 1, keyIds: [keyIdOf(root.publicKey)] },
      director: { threshold: 1, keyIds: directors.map((key) => keyIdOf(key)) },
      release: { threshold: 1, keyIds: [] },
      approver: { threshold: 1, keyIds: [] },
    },
    certificateAuthorities: [caPem],
  })
  const issuedAt = content(1, [director]).issuedAt
  return {
    first: sealBundle({ ...content(1, [director]), issuedAt }, [root.privateKey, directorPrivate]),
    next: (directors, changes = {}) =>
      sealBundle({ ...content(2, directors), issuedAt, ...changes }, [root.privateKey]),
  }
}
