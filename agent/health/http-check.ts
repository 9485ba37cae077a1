import { get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'
import type { NamedCheck } from './run-checks.ts'

const REQUEST_TIMEOUT_MS = 10_000

/** Whether a GET is answered with success or a redirection. */
export function httpCheck(url: string): NamedCheck {
  return {
    name: `http:${url}`,
    run: async (signal) => {
      const limit = new AbortController()
      const timer = setTimeout(() => limit.abort(), REQUEST_TIMEOUT_MS)
      try {
        const status = await statusOf(url, AbortSignal.any([signal, limit.signal]))
        if (status >= 200 && status < 400) return { kind: 'passed' }
        return { kind: 'failed', detail: `status ${status}`, final: false }
      } catch (error) {
        const found = error instanceof Error ? error.message : String(error)
        const detail = limit.signal.aborted ? `no answer within ${REQUEST_TIMEOUT_MS} ms` : found
        return { kind: 'failed', detail, final: false }
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** Not by fetch, which refuses ports that services on a host do have. */
function statusOf(url: string, signal: AbortSignal): Promise<number> {
  const get = url.startsWith('https:') ? getHttps : getHttp
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    request.on('error', reject)
  })
}
