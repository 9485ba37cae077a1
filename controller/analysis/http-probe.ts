import type { AnalysisProvider } from '../desired-state/types.ts'
import { withTimeLimit } from '../time-limit.ts'
import type { AnalysisConfig } from './analysis-config.ts'
import { reasonOf } from './http.ts'
import type { AnalysisHttp } from './http.ts'
import { failed, inconclusive, passed } from './outcome.ts'
import type { Outcome } from './outcome.ts'

type Probe = Extract<AnalysisProvider, { readonly kind: 'http' }>

const BODY_MAX_BYTES = 64 * 1024
const REDIRECTS_MAX = 5

/**
 * Only hosts that the configuration names are asked: who may write to git must not be able to make the controller
 * ask what only the controller can reach. A redirect elsewhere is not followed, whatever stands on the list.
 */
export async function measureHttp(
  probe: Probe,
  settings: AnalysisConfig['http'],
  { http, signal }: { readonly http: AnalysisHttp; readonly signal: AbortSignal },
): Promise<Outcome> {
  const url = URL.canParse(probe.url) ? new URL(probe.url) : null
  if (url === null || !/^https?:$/.test(url.protocol)) return inconclusive('the URL is no http or https one')
  // Without credentials and query: both may be secret.
  const asked = `asking ${url.origin}${url.pathname}`
  if (settings === undefined || !isAllowed(url, settings.hosts)) {
    return inconclusive(
      `${asked}: the controller may not ask ${url.host}; list it under analysis.http.hosts in the controller’s configuration`,
    )
  }
  try {
    return await withTimeLimit(signal, settings.timeout, (bounded) => follow(url, http, bounded))
  } catch (error) {
    signal.throwIfAborted()
    return inconclusive(`${asked}: ${reasonOf(error)}`)
  }
}

async function follow(first: URL, http: AnalysisHttp, signal: AbortSignal): Promise<Outcome> {
  const asked = `asking ${first.origin}${first.pathname}`
  let url = first
  for (let hop = 0; hop <= REDIRECTS_MAX; hop += 1) {
    const answer = await http.send({
      url: url.href,
      method: 'GET',
      headers: { 'user-agent': 'bootfleet-controller' },
      maxBodyBytes: BODY_MAX_BYTES,
      signal,
    })
    const { status, location } = answer
    if (status >= 200 && status <= 299) return passed(`${asked}: status ${status}`)
    if (status < 300 || status > 399 || location === undefined) return failed(`${asked}: status ${status}`)
    const next = URL.canParse(location, url.href) ? new URL(location, url) : null
    if (next === null || next.origin !== first.origin) {
      const where = next === null ? 'nowhere' : `to ${next.origin}`
      return inconclusive(`${asked}: it redirects ${where}, which is not followed; name the final URL`)
    }
    url = next
  }
  return inconclusive(`${asked}: more than ${REDIRECTS_MAX} redirects`)
}

/** `shop.example` allows every port of it, `shop.example:8080` only that one. */
function isAllowed(url: URL, hosts: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return hosts
    .map((host) => host.toLowerCase())
    .some((host) => host === url.hostname || host === `${url.hostname}:${port}`)
}
