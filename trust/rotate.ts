import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { keyIdOf } from '../proto/envelope.ts'
import { TRUST_ROLES } from '../proto/trust-roles.ts'
import type { TrustRole } from '../proto/trust-roles.ts'
import { keysOf, openNextBundle, sealBundle } from '../proto/trust-chain.ts'
import type { TrustBundle } from '../proto/trust-chain.ts'
import { contentOf } from './content.ts'
import type { Thresholds } from './content.ts'
import { TrustError } from './errors.ts'

export type Rotation = {
  readonly add: readonly { readonly role: TrustRole; readonly key: KeyObject }[]
  /** Begin of a key's id, at least 8 characters. */
  readonly remove: readonly { readonly role: TrustRole; readonly id: string }[]
  /** Every key that the role had goes. */
  readonly replace: readonly { readonly role: TrustRole; readonly key: KeyObject }[]
  readonly thresholds: Partial<Thresholds>
  readonly addAuthorities: readonly string[]
  readonly removeAuthorities: readonly string[]
  readonly lifeMs: number
  /** Private root keys, old and new ones as far as they are needed. */
  readonly signers: readonly KeyObject[]
  readonly nowMs: number
}

/**
 * The bundle that follows `current`, signed.
 * @throws TrustError TrustInvalid when the change makes no sense or the signatures do not suffice.
 */
export function nextBundle(current: TrustBundle, rotation: Rotation): TrustBundle {
  const { content } = current
  const thresholds = Object.fromEntries(
    TRUST_ROLES.map((role) => [role, rotation.thresholds[role] ?? content.roles[role].threshold]),
  ) as Thresholds
  const next = contentOf({
    number: content.number + 1,
    // A clock that is behind must not make a bundle that nobody takes.
    issuedAtMs: Math.max(rotation.nowMs, Date.parse(content.issuedAt)),
    expiresAtMs: rotation.nowMs + rotation.lifeMs,
    keys: {
      root: changedKeys(current, 'root', rotation),
      director: changedKeys(current, 'director', rotation),
      release: changedKeys(current, 'release', rotation),
      approver: changedKeys(current, 'approver', rotation),
    },
    thresholds,
    certificateAuthorities: changedAuthorities(content.certificateAuthorities, rotation),
  })
  requireUseful(rotation.signers, new Set([...current.keys.keys(), ...next.keys.map(({ id }) => id)]))
  try {
    const opened = openNextBundle(current, sealBundle(next, rotation.signers))
    if (opened.kind === 'opened') return opened.bundle
    throw wrong(`${opened.detail}; name further ones with --root-key`)
  } catch (error) {
    if (error instanceof RangeError) throw wrong(error.message)
    throw error
  }
}

function changedKeys(current: TrustBundle, role: TrustRole, rotation: Rotation): readonly KeyObject[] {
  const of = (changes: Rotation['add']): readonly KeyObject[] =>
    changes.filter((one) => one.role === role).map(({ key }) => key)
  const replaced = of(rotation.replace)
  let keys = replaced.length > 0 ? replaced : keysOf(current, role)
  for (const { id } of rotation.remove.filter((one) => one.role === role)) {
    const left = keys.filter((key) => !keyIdOf(key).startsWith(id))
    if (id.length < 8 || left.length !== keys.length - 1) {
      throw wrong(`role ${role} has no single key that begins with ${id}; write 8 characters or more`)
    }
    keys = left
  }
  return [...keys, ...of(rotation.add)]
}

function changedAuthorities(before: readonly string[], rotation: Rotation): readonly string[] {
  const { addAuthorities, removeAuthorities } = rotation
  const left = before.filter((pem) => !removeAuthorities.some((removed) => removed.trim() === pem.trim()))
  if (left.length !== before.length - removeAuthorities.length) {
    throw wrong('a certificate authority to remove is not in the bundle')
  }
  return [...left, ...addAuthorities]
}

/** A signature by a key that neither bundle knows would spoil it. */
function requireUseful(signers: readonly KeyObject[], known: ReadonlySet<string>): void {
  const stranger = signers.map((key) => keyIdOf(createPublicKey(key))).find((id) => !known.has(id))
  if (stranger !== undefined) throw wrong(`key ${stranger.slice(0, 12)} is no root key of either bundle`)
}

function wrong(found: string): TrustError {
  return new TrustError('TrustInvalid', `making the next trust bundle: ${found}`)
}
