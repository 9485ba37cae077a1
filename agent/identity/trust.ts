import type { KeyObject } from 'node:crypto'
import type { Logger } from 'pino'
import { keyIdOf } from '../../proto/envelope.ts'
import { approverRoleOf } from '../../proto/permit.ts'
import type { ApproverRole } from '../../proto/permit.ts'
import { releaseRoleOf } from '../../proto/release-role.ts'
import type { ReleaseRole } from '../../proto/release-role.ts'
import { keysOf, openChain, openFirstBundle, openNextBundle } from '../../proto/trust-chain.ts'
import type { OpenTrust, TrustBundle } from '../../proto/trust-chain.ts'
import { writeDurably } from '../durable-file.ts'
import { AgentError, toAgentError } from '../errors.ts'
import { chainText, envelopesOf, readIfThere, readTrustMaterial } from './trust-material.ts'
import type { TrustMaterial } from './trust-material.ts'

/** Whom this host believes when a plan comes. */
export type Believed = {
  readonly directorKeys: readonly KeyObject[]
  /** Who must have signed an image before it is taken; null: nobody. */
  readonly release: ReleaseRole | null
  /** Who may permit a lower version than one that ran here; null: it needs no permit. */
  readonly approver: ApproverRole | null
  /** No plan counts from here on; null on a host that never got a bundle. */
  readonly expiresAtMs: number | null
  /** A plan that expired before it cannot be meant for us. */
  readonly issuedAtMs: number
}

export type HostTrust = {
  readonly believed: () => Believed
  /** Whose certificates count, PEM; null on a host that never got a bundle. */
  readonly authorities: () => string | null
  /** Of the bundle that was taken last; 0 before the first. */
  readonly number: () => number
  /**
   * Takes a bundle if it follows the one that is held, and writes it down before it counts. True when it was taken.
   * Offers are judged in the order they come; never rejects.
   */
  readonly offer: (envelope: Uint8Array) => Promise<boolean>
}

export type OpenTrustOptions = {
  /** Where whoever enrolled the host put `trust.jsonl`. */
  readonly identityDir: string
  /** Holds the envelopes of every bundle that was taken. */
  readonly path: string
  readonly log: Logger
}

/** A verified chain, from its first bundle to the one in force. */
type Held = { readonly envelopes: readonly Uint8Array[]; readonly newest: TrustBundle }

/**
 * The chain on disk, or the one that came with the enrolment where that leads further.
 * @throws AgentError IdentityInvalid when neither tells whom to believe. What was taken is never silently forgotten:
 * an older bundle could name a key that was stolen since.
 */
export async function openTrust(options: OpenTrustOptions): Promise<HostTrust> {
  const { identityDir, path, log } = options
  const material = await readTrustMaterial(identityDir).catch((error: unknown) => {
    throw toAgentError('IdentityInvalid', `reading whom to believe from ${identityDir}`, error)
  })
  let held = await readHeld(path)
  const directors = material?.kind === 'directors' ? material.keys : []

  async function take(chain: Held): Promise<void> {
    await writeDurably(path, chainText(chain.envelopes), 0o644)
    held = chain
    const { number, expiresAt } = chain.newest.content
    log.info({ trust: number, expiresAt }, 'trust bundle taken')
    log[isSigned(held) ? 'info' : 'warn']({ trust: number }, signingSentence(held))
  }

  async function offerNow(envelope: Uint8Array): Promise<boolean> {
    const before = held
    const opened =
      before === null ? openForDirectors(envelope, directors) : openNextBundle(before.newest, envelope)
    if (opened.kind === 'refused') {
      const { refusal, detail } = opened
      // One that was taken meanwhile comes again when two streams cross.
      log[refusal === 'NotNext' ? 'debug' : 'warn']({ refusal, detail }, 'trust bundle refused')
      return false
    }
    await take({ envelopes: [...(before?.envelopes ?? []), opened.bundle.envelope], newest: opened.bundle })
    return true
  }

  const wasHeld = held
  if (held === null) {
    const chain = chainOf(material, identityDir)
    if (chain !== null) await take(chain)
  } else if (material?.kind === 'bundles') {
    warnOfAnother(held, material.envelopes, options)
    for (const envelope of material.envelopes.slice(held.envelopes.length)) {
      if (!(await offerNow(envelope))) break
    }
  }
  // Otherwise it was told as it was taken.
  if (held === wasHeld) log[isSigned(held) ? 'info' : 'warn'](signingSentence(held))
  let last: Promise<boolean> = Promise.resolve(true)
  return {
    believed: () => believedOf(held?.newest ?? null, directors),
    authorities: () => authoritiesOf(held),
    number: () => held?.newest.content.number ?? 0,
    offer: (envelope) => {
      last = last
        .then(() => offerNow(envelope))
        .catch((error: unknown) => {
          log.error({ err: error }, 'keeping a trust bundle failed; the one before stays in force')
          return false
        })
      return last
    },
  }
}

function authoritiesOf(held: Held | null): string | null {
  return held?.newest.content.certificateAuthorities.join('\n') ?? null
}

/** As {@link HostTrust.authorities}, for who only looks: of the bundles that the agent wrote down. */
export async function authoritiesOnDisk(path: string): Promise<string | null> {
  return authoritiesOf(await readHeld(path))
}

function isSigned(held: Held | null): boolean {
  return held !== null && releaseRoleOf(held.newest) !== null
}

function signingSentence(held: Held | null): string {
  const release = held === null ? null : releaseRoleOf(held.newest)
  if (release === null) return 'images need no signature here: no trust bundle names a release key'
  const names = release.keys.map(({ name }) => name).join(', ')
  return `images must be signed by ${release.threshold} of the release keys ${names}`
}

/** Whether images must be signed here, for who only looks: by the bundles that the agent wrote down. */
export async function signingOnDisk(path: string): Promise<string> {
  return signingSentence(await readHeld(path))
}

function believedOf(bundle: TrustBundle | null, directors: readonly KeyObject[]): Believed {
  if (bundle === null)
    return { directorKeys: directors, release: null, approver: null, expiresAtMs: null, issuedAtMs: 0 }
  return {
    directorKeys: keysOf(bundle, 'director'),
    release: releaseRoleOf(bundle),
    approver: approverRoleOf(bundle),
    expiresAtMs: Date.parse(bundle.content.expiresAt),
    issuedAtMs: Date.parse(bundle.content.issuedAt),
  }
}

async function readHeld(path: string): Promise<Held | null> {
  const text = await readIfThere(path)
  if (text === null) return null
  const envelopes = envelopesOf(text)
  const opened = openChain(envelopes)
  if (opened.kind === 'opened') return { envelopes, newest: opened.bundle }
  throw new AgentError(
    'IdentityInvalid',
    `reading the trust bundles ${path}: ${opened.detail}; put the controller's trust.jsonl into the identity folder, then remove this file`,
  )
}

function chainOf(material: TrustMaterial | null, identityDir: string): Held | null {
  if (material === null) {
    throw new AgentError('IdentityInvalid', `reading whom to believe: ${identityDir} has no trust.jsonl`)
  }
  if (material.kind === 'directors') return null
  const opened = openChain(material.envelopes)
  if (opened.kind === 'opened') return { envelopes: material.envelopes, newest: opened.bundle }
  throw new AgentError('IdentityInvalid', `reading ${identityDir}/trust.jsonl: ${opened.detail}`)
}

/** A host goes to another deployment only by a person's hand. */
function warnOfAnother(
  held: Held,
  envelopes: readonly Uint8Array[],
  { identityDir, path, log }: OpenTrustOptions,
): void {
  const [own, given] = [held.envelopes[0], envelopes[0]]
  if (own === undefined || given === undefined || Buffer.compare(own, given) === 0) return
  log.warn(
    { identityDir },
    `trust.jsonl is of another deployment and not followed; remove ${path} to move the host there`,
  )
}

/** A host that knows only a director's key takes the first bundle on that key's word. */
function openForDirectors(envelope: Uint8Array, directors: readonly KeyObject[]): OpenTrust {
  const opened = openFirstBundle(envelope)
  if (opened.kind === 'refused') return opened
  const vouched = directors.some((key) => opened.bundle.signedBy.has(keyIdOf(key)))
  if (vouched) return opened
  return { kind: 'refused', refusal: 'UnknownKey', detail: 'no director key that this host knows signed it' }
}
