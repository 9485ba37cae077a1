import * as z from 'zod'
import { AgentError } from '../errors.ts'
import { run } from '../exec.ts'
import type { Facts } from './facts.ts'

export type ImageOptions = {
  readonly reference: string
  /** Where registries and their credentials are configured. */
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const Inspected = z.object({
  Name: z.string().min(1),
  Digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  LayersData: z.array(z.object({ Size: z.number() })).nullish(),
})
const TIMEOUT_MS = 120_000

/** What a registry says of an image; nothing of it is fetched. A tag is what it is now. */
export async function inspectImage({ reference, env, signal }: ImageOptions): Promise<Facts['image']> {
  const attempt = `ask for the image ${reference}`
  const name = reference.replace(/^docker:\/\//, '')
  if (!/^[\w.:[\]/-]+(@sha256:[0-9a-f]{64})?$/.test(name) || name.startsWith('-'))
    throw new AgentError(
      'ConfigInvalid',
      `${attempt}: not an image; write HOST/NAME:TAG or HOST/NAME@sha256:…`,
    )
  const registries = env['CONTAINERS_REGISTRIES_CONF']
  const flags = registries === undefined ? [] : ['--registries-conf', registries]
  // With a tag beside it no tool takes a digest.
  const asked = name.replace(/:[^:/@]+(?=@)/, '')
  const text = await run(['skopeo', ...flags, 'inspect', '--no-tags', `docker://${asked}`], {
    attempt,
    signal,
    env,
    timeoutMs: TIMEOUT_MS,
  })
  const parsed = Inspected.safeParse(JSON.parse(text))
  if (!parsed.success) throw new AgentError('InspectFailed', `${attempt}: ${z.prettifyError(parsed.error)}`)
  const { Name, Digest, LayersData } = parsed.data
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(asked)?.[1] ?? Digest
  const bytes = (LayersData ?? []).reduce((sum, { Size }) => sum + Size, 0)
  return { reference: `${Name}@${digest}`, digest, bytes }
}
