import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { keyIdOf } from '../../proto/envelope.ts'
import { releaseRoleOf } from '../../proto/release-role.ts'
import type { ReleaseRole } from '../../proto/release-role.ts'
import { isExpired } from '../../proto/trust-chain.ts'
import type { TrustBundle } from '../../proto/trust-chain.ts'
import { parseChain } from '../../trust/chain-file.ts'
import type { TrustChain } from '../../trust/chain-file.ts'
import { TrustError } from '../../trust/errors.ts'
import { ControllerError } from '../errors.ts'

/** The trust bundles that hosts get from this controller, as the file stands. */
export type TrustFile = {
  /** Every envelope after bundle `number`, oldest first. */
  readonly after: (number: number) => readonly Uint8Array[]
  /** Whose signature hosts with the newest bundle ask for; null: nobody's. */
  readonly release: () => ReleaseRole | null
  /** CAs of the newest bundle, PEM: whose certificates count. */
  readonly authorities: () => readonly string[]
  /**
   * Takes what is appended to the file, telling `onTaken` the bundle's number, and warns before it expires. Resolves
   * when `signal` fires.
   */
  readonly watch: (signal: AbortSignal, onTaken?: (number: number) => void) => Promise<void>
}

export type TrustFileOptions = {
  readonly path: string
  readonly directorKey: KeyObject
  /** Of the CA that issues here. */
  readonly certificatePem: () => string
  readonly logger: Logger
  readonly now?: () => number
  /** Between two looks at the file. Default: 5 s. */
  readonly pollMs?: number
}

const POLL_MS = 5_000
const DAY_MS = 24 * 60 * 60 * 1000
const WARN_BEFORE_MS = 30 * DAY_MS

/** @throws ControllerError ConfigInvalid when hosts would not follow a controller with these keys and bundles. */
export async function openTrustFile(options: TrustFileOptions): Promise<TrustFile> {
  const { path, logger } = options
  const now = options.now ?? Date.now
  let text = await readText(path)
  let chain = parse(text, path)
  const unfit = judge(chain.newest, options, now())
  if (unfit !== null) throw new ControllerError('ConfigInvalid', `checking ${path}: ${unfit}`)
  logger.info(
    { trust: chain.newest.content.number, expiresAt: chain.newest.content.expiresAt },
    'trust bundle',
  )

  async function refresh(onTaken: (number: number) => void): Promise<void> {
    const found = await readText(path)
    if (found === text) return
    text = found
    const fresh = parse(found, path)
    if (!continues(chain, fresh)) {
      throw new ControllerError('ConfigInvalid', `reading ${path}: it does not go on from the bundles in use`)
    }
    chain = fresh
    logger.info({ trust: chain.newest.content.number }, 'trust bundle read anew; hosts get it as they report')
    onTaken(chain.newest.content.number)
    const wrong = judge(chain.newest, options, now())
    if (wrong !== null) logger.error({ trust: chain.newest.content.number }, wrong)
  }

  return {
    authorities: () => chain.newest.content.certificateAuthorities,
    release: () => releaseRoleOf(chain.newest),
    after: (number) => chain.envelopes.slice(number),
    async watch(signal, onTaken = () => undefined) {
      let warnedAtMs = Number.NEGATIVE_INFINITY
      while (!signal.aborted) {
        const expiring = expiryNotice(chain.newest, now())
        if (expiring !== null && now() - warnedAtMs >= DAY_MS) {
          warnedAtMs = now()
          logger.warn({ trust: chain.newest.content.number }, expiring)
        }
        await delay(options.pollMs ?? POLL_MS, undefined, { signal }).catch(() => {})
        if (signal.aborted) return
        await refresh(onTaken).catch((error: unknown) => {
          logger.error({ error: String(error) }, 'trust bundles not taken; those before stay in use')
        })
      }
    },
  }
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ControllerError(
      'ConfigInvalid',
      `reading ${path}: it cannot be read; bootfleet trust init makes it, and pki.trust names it`,
      { cause },
    )
  })
}

function parse(text: string, path: string): TrustChain {
  try {
    return parseChain(text, path)
  } catch (error) {
    if (error instanceof TrustError) {
      throw new ControllerError('ConfigInvalid', error.message, { cause: error })
    }
    throw error
  }
}

/** What hosts were given once stays, or they would refuse all that follows. */
function continues(before: TrustChain, after: TrustChain): boolean {
  return before.envelopes.every((envelope, index) => {
    const same = after.envelopes[index]
    return same !== undefined && Buffer.compare(envelope, same) === 0
  })
}

/** Why hosts that hold this bundle would refuse what this controller says; null when they would not. */
function judge(
  bundle: TrustBundle,
  { directorKey, certificatePem }: TrustFileOptions,
  nowMs: number,
): string | null {
  const { number, expiresAt, roles, certificateAuthorities } = bundle.content
  const rotate = 'make its successor with bootfleet trust rotate'
  if (isExpired(bundle, nowMs)) return `trust bundle ${number} expired at ${expiresAt}; ${rotate}`
  const id = keyIdOf(createPublicKey(directorKey))
  if (!roles.director.keyIds.includes(id)) {
    return `trust bundle ${number} does not name director.key (${id.slice(0, 12)}), so hosts refuse its plans; put the key that it names in place and start again, or ${rotate}`
  }
  if (!certificateAuthorities.some((pem) => pem.trim() === certificatePem().trim())) {
    return `trust bundle ${number} does not name the CA in ca.pem; ${rotate}`
  }
  return null
}

function expiryNotice({ content }: TrustBundle, nowMs: number): string | null {
  const leftMs = Date.parse(content.expiresAt) - nowMs
  if (leftMs > WARN_BEFORE_MS) return null
  const when = leftMs > 0 ? `expires in ${Math.ceil(leftMs / DAY_MS)} days` : 'has expired'
  return `trust bundle ${content.number} ${when}, at ${content.expiresAt}; hosts then refuse every plan; make its successor with bootfleet trust rotate`
}
