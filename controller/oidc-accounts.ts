import { readFile } from 'node:fs/promises'
import { createAnalysisHttp, reasonOf } from './analysis/http.ts'
import { ControllerError } from './errors.ts'
import type { OidcConfig } from './oidc-config.ts'
import { openAccounts } from './operators/accounts.ts'
import type { Accounts } from './operators/accounts.ts'
import { openIssuerKeys } from './operators/issuer-keys.ts'
import { withTimeLimit } from './time-limit.ts'

const DOCUMENT_MAX_BYTES = 256 * 1024
const GET_TIMEOUT_MS = 10_000

/**
 * Accounts of the configured issuer; without one there are none.
 * @throws ControllerError ConfigInvalid when its CAs cannot be read.
 */
export async function openOidcAccounts(oidc: OidcConfig | undefined, signal: AbortSignal): Promise<Accounts> {
  if (oidc === undefined) return () => Promise.resolve('operators.oidc is not configured')
  const http = createAnalysisHttp(await caPemOf(oidc))
  signal.addEventListener('abort', () => void http.close(), { once: true })
  const get = async (url: string): Promise<string | null> => {
    const headers = { accept: 'application/json' }
    const call = { url, method: 'GET', headers, maxBodyBytes: DOCUMENT_MAX_BYTES } as const
    try {
      const { status, body } = await withTimeLimit(signal, GET_TIMEOUT_MS, (bounded) =>
        http.send({ ...call, signal: bounded }),
      )
      return status === 200 ? body : null
    } catch (cause) {
      throw new Error(reasonOf(cause), { cause })
    }
  }
  return openAccounts(oidc, openIssuerKeys({ issuer: oidc.issuer, get }))
}

async function caPemOf({ caFile }: OidcConfig): Promise<string | undefined> {
  if (caFile === undefined) return undefined
  return readFile(caFile, 'utf8').catch((cause: unknown) => {
    const message = `reading operators.oidc.caFile: ${String(cause)}`
    throw new ControllerError('ConfigInvalid', message, { cause })
  })
}
