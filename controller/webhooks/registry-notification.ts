import * as z from 'zod'
import type { HttpRequest } from '../http.ts'
import { isSame } from './secrets.ts'

const EVENTS_MAX = 1000

/** Of the envelope of docker's registry (and of those that took it over), what names a repository. */
const Envelope = z.object({
  events: z
    .array(
      z.object({
        action: z.string(),
        target: z.object({ repository: z.string().max(255).optional() }).optional(),
      }),
    )
    .max(EVENTS_MAX),
})

/** The registry is configured with a header that holds the secret: with or without the word Bearer. */
export function isFromRegistry({ header }: HttpRequest, secret: string): boolean {
  return isSame((header('authorization') ?? '').replace(/^bearer\s+/i, ''), secret)
}

/** Repositories that something was pushed to, without the host; null when it is no envelope. */
export function pushedRepositories({ body }: HttpRequest): readonly string[] | null {
  try {
    const { events } = Envelope.parse(JSON.parse(body.toString('utf8')))
    const pushed = events.filter(({ action }) => action === 'push')
    return [...new Set(pushed.flatMap(({ target }) => target?.repository ?? []))]
  } catch {
    return null
  }
}
