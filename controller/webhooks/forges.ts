import * as z from 'zod'
import type { HttpRequest } from '../http.ts'
import { isSame, signatureOf } from './secrets.ts'

export type ForgeName = 'github' | 'gitlab' | 'gitea' | 'forgejo'

/** What a delivery is about. `ref` is empty where the forge names none. */
export type Push = { readonly urls: readonly string[]; readonly ref: string }

export type Forge = {
  readonly isGenuine: (request: HttpRequest, secret: string) => boolean
  /** Distinguishes deliveries; undefined where the forge sends none. No signature covers it. */
  readonly deliveryOf: (request: HttpRequest) => string | undefined
  readonly isPush: (request: HttpRequest) => boolean
}

export const forges: Readonly<Record<ForgeName, Forge>> = {
  github: {
    isGenuine: ({ header, body }, secret) =>
      isSame(header('x-hub-signature-256') ?? '', `sha256=${signatureOf(body, secret)}`),
    deliveryOf: ({ header }) => header('x-github-delivery'),
    isPush: ({ header }) => header('x-github-event') === 'push',
  },
  gitlab: {
    isGenuine: ({ header }, secret) => isSame(header('x-gitlab-token') ?? '', secret),
    deliveryOf: ({ header }) => header('idempotency-key') ?? header('x-gitlab-event-uuid'),
    isPush: ({ header }) => ['Push Hook', 'System Hook'].includes(header('x-gitlab-event') ?? ''),
  },
  gitea: signedBy('gitea'),
  forgejo: signedBy('forgejo'),
}

/** Forgejo sends Gitea's headers too; only its own are looked at, so that the weaker of two never counts. */
function signedBy(name: 'gitea' | 'forgejo'): Forge {
  return {
    isGenuine: ({ header, body }, secret) =>
      isSame(header(`x-${name}-signature`) ?? '', signatureOf(body, secret)),
    deliveryOf: ({ header }) => header(`x-${name}-delivery`),
    isPush: ({ header }) => header(`x-${name}-event`) === 'push',
  }
}

const Url = z.string().max(2000).optional()
const addressFields = [
  'clone_url', 'ssh_url', 'git_url', 'html_url', 'git_http_url', 'git_ssh_url', 'http_url', 'homepage',
] as const // prettier-ignore
const Addresses = z.object(
  Object.fromEntries(addressFields.map((name) => [name, Url])) as Record<
    (typeof addressFields)[number],
    typeof Url
  >,
)
/** GitLab tells the addresses in both of them. */
const Payload = z.object({
  ref: z.string().max(1000).default(''),
  repository: Addresses.optional(),
  project: Addresses.optional(),
})

/** Null when it is nothing that a forge sends. */
export function pushOf({ header, body }: HttpRequest): Push | null {
  const isForm = header('content-type')?.startsWith('application/x-www-form-urlencoded') ?? false
  const text = body.toString('utf8')
  const json = isForm ? (new URLSearchParams(text).get('payload') ?? '') : text
  const parsed = Payload.safeParse(jsonOf(json))
  if (!parsed.success) return null
  const { ref, repository, project } = parsed.data
  const urls = [repository, project].flatMap((addresses) => Object.values(addresses ?? {}))
  return { urls: urls.filter((url) => url !== undefined), ref }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
