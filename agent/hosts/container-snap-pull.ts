import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { Image } from '../update/types.ts'
import type { Call } from './container-snap-program.ts'
import { parseJson } from './container-snap-status.ts'
import type { Pulled, PullOptions } from './host-driver.ts'

const PullLine = z.discriminatedUnion('event', [
  z.object({ event: z.literal('progress'), doneBytes: z.number(), totalBytes: z.number() }),
  z.object({
    event: z.literal('pulled'),
    imageId: z.string(),
    manifestDigest: z.string(),
    version: z.string().max(256).default(''),
  }),
])

const PULL_TIMEOUT_MS = 6 * 60 * 60_000

/** As container-snap names an image. */
export function referenceOf({ repository, digest }: Image): string {
  return `docker://${repository}@${digest}`
}

/** Stopped when it turns out to be larger than it may be. */
export async function pullImage(call: Call, image: Image, options: PullOptions): Promise<Pulled> {
  const { maxBytes, onProgress, signal } = options
  const stop = new AbortController()
  let pulled: Pulled | null = null
  let largestBytes = 0
  const onLine = (text: string): void => {
    const line = PullLine.safeParse(parseJson(text))
    if (!line.success) return
    if (line.data.event === 'pulled') {
      const { manifestDigest, version } = line.data
      pulled = { manifestDigest, ...(version !== '' && { version }) }
      return
    }
    const { doneBytes, totalBytes } = line.data
    largestBytes = Math.max(largestBytes, doneBytes, totalBytes)
    if (largestBytes > maxBytes) stop.abort()
    else onProgress(doneBytes, totalBytes)
  }
  const attempt = `pulling ${image.repository}@${image.digest}`
  const arguments_ = ['pull', '--progress=json', referenceOf(image)]
  const called = { code: 'DownloadFailed', attempt, timeoutMs: PULL_TIMEOUT_MS, onLine } as const
  try {
    await call(arguments_, { ...called, signal: AbortSignal.any([signal, stop.signal]) })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    const message = `${attempt}: ${largestBytes} bytes, and the plan allows ${maxBytes}`
    throw new AgentError('DownloadTooLarge', message, { cause: error })
  }
  if (pulled === null)
    throw new AgentError('DownloadFailed', `${attempt}: the program did not say what it pulled`)
  return pulled
}
