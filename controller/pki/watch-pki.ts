import { X509Certificate } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Certificates, Pki } from './pki-directory.ts'

export type WatchPkiOptions = {
  readonly pki: Pki
  /** Of the newest trust bundle, PEM. */
  readonly authorities: () => readonly string[]
  /** What TLS shows or believes is another: certificates, or the CAs of a new bundle. */
  readonly onChange: () => void
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Between two looks at the files. Default: 5 s. */
  readonly pollMs?: number
}

const POLL_MS = 5_000
const DAY_MS = 24 * 60 * 60 * 1000
const WARN_BEFORE_MS = 30 * DAY_MS

/** Follows the files of the CA and the server, so that they rotate without a restart. Resolves when `signal` fires. */
export async function watchPki(options: WatchPkiOptions): Promise<void> {
  const { pki, authorities, onChange, logger, signal } = options
  let believed = authorities().join('\n')
  let refused = ''
  let warnedAtMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    if (Date.now() - warnedAtMs >= DAY_MS && warnOfExpiry(pki, logger)) warnedAtMs = Date.now()
    await delay(options.pollMs ?? POLL_MS, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const reloaded = await pki
      .reload((found) => judge(found, authorities(), Date.now()))
      .catch((error: unknown) => {
        // Told once: a pair is seen in the middle of being replaced now and then.
        if (refused !== String(error)) logger.warn({ error: String(error) }, 'certificates not taken')
        refused = String(error)
        return false
      })
    const now = authorities().join('\n')
    if (!reloaded && now === believed) continue
    believed = now
    refused = ''
    if (reloaded) logger.info('certificates read anew; they hold for new connections')
    onChange()
  }
}

/** Why hosts would turn away from a controller that showed and issued these; null when they would not. */
export function judge(found: Certificates, authorities: readonly string[], nowMs: number): string | null {
  const known = authorities.flatMap((pem) => readCertificate(pem) ?? [])
  const isKnown = authorities.some((pem) => pem.trim() === found.authority.trim())
  if (!isKnown) return 'the newest trust bundle does not name the CA in ca.pem; rotate the bundle first'
  const server = readCertificate(found.server)
  if (server === null || nowMs >= Date.parse(server.validTo))
    return 'the certificate in server.pem has expired'
  const issued = known.some((ca) => server.checkIssued(ca) && server.verify(ca.publicKey))
  return issued ? null : 'no CA of the newest trust bundle issued server.pem'
}

function warnOfExpiry(pki: Pki, logger: Logger): boolean {
  const notAfter = readCertificate(pki.server.certificatePem)?.validTo
  if (notAfter === undefined || Date.parse(notAfter) - Date.now() > WARN_BEFORE_MS) return false
  logger.warn(
    { notAfter: new Date(notAfter).toISOString() },
    'the certificate of this controller expires soon; make another with bootfleet trust server',
  )
  return true
}

function readCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}
