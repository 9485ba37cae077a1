import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'

export type Answer = {
  readonly status: number
  readonly location: string | undefined
  /** Null: longer than was asked for. */
  readonly body: string | null
}

export type AnalysisHttp = {
  send(call: {
    readonly url: string
    readonly method: 'GET' | 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly form?: string
    readonly maxBodyBytes: number
    readonly signal: AbortSignal
  }): Promise<Answer>
  close(): Promise<void>
}

/** `caPem`: CAs instead of those of the machine. */
export function createAnalysisHttp(caPem?: string): AnalysisHttp {
  const tls = caPem === undefined ? {} : { ca: caPem }
  const agent = new Agent({ connect: { timeout: 10_000, ...tls }, connections: 8, pipelining: 1 })
  return {
    async send({ url, method, headers, form, maxBodyBytes, signal }) {
      const response = await request(url, { method, headers, signal, dispatcher: agent, body: form ?? null })
      const { location } = response.headers
      return {
        status: response.statusCode,
        location: Array.isArray(location) ? location[0] : location,
        body: await readBody(response.body, maxBodyBytes),
      }
    },
    // A server that answers slowly would hold up an orderly close.
    close: () => agent.destroy(),
  }
}

/** The connection is cut as soon as the limit is passed, whatever Content-Length says. */
async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string | null> {
  const chunks: Buffer[] = []
  let totalBytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    totalBytes += chunk.length
    if (totalBytes > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Without what may be secret: query strings hold tokens, and a message of the client may hold a whole URL. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer'
  if (error.name === 'TimeoutError') return error.message
  const cause = error.cause instanceof Error ? error.cause : error
  const { code } = cause as { readonly code?: unknown }
  return typeof code === 'string' ? code : cause.name
}
