import { readFile, rename } from 'node:fs/promises'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import { toAgentError } from './errors.ts'
import { AcceptedPlan, Floors, StateDocument } from './state-schema.ts'
import type { State } from './update/types.ts'

export type StateFileContent =
  | { readonly kind: 'read'; readonly state: State }
  | { readonly kind: 'absent' }
  /** Set aside under `setAsideAs`: what is really there is a better guide than a guess at what it said. */
  | {
      readonly kind: 'damaged'
      readonly setAsideAs: string
      readonly detail: string
      readonly salvaged: Salvaged
    }

/** What must outlive a state file that cannot be read as a whole. */
export type Salvaged = Pick<State, 'accepted' | 'deniedDigests' | 'floors' | 'firstMove'>

const LooseImage = z.object({ digest: z.string() })
const LooseState = z.object({
  accepted: AcceptedPlan.loose().nullable().catch(null),
  deniedDigests: z.array(z.string()).catch([]),
  floors: Floors.optional().catch(undefined),
  firstMove: z.string().optional().catch(undefined),
  at: z
    .object({ commit: z.object({}), plan: z.object({ image: LooseImage }) })
    .nullable()
    .catch(null),
})

/**
 * A newer agent came with the image that failed, and this one, from the image before, finds its file: what it
 * denied stays denied, and so does an image that was on trial, or this host would try it for ever.
 */
function salvage(document: unknown): Salvaged {
  const parsed = LooseState.safeParse(document)
  if (!parsed.success) return { accepted: null, deniedDigests: [] }
  const { accepted, deniedDigests, at, firstMove, floors } = parsed.data
  const onTrial = at === null ? [] : [at.plan.image.digest]
  const known = accepted === null ? null : AcceptedPlan.strip().parse(accepted)
  return {
    accepted: known,
    deniedDigests: [...new Set([...deniedDigests, ...onTrial])],
    ...(floors !== undefined && { floors }),
    ...(firstMove !== undefined && { firstMove }),
  }
}

/** @throws AgentError StateUnwritable when the file can neither be read nor set aside. */
export async function readState(path: string, nowMs: number): Promise<StateFileContent> {
  try {
    const text = await readFile(path, 'utf8').catch(absentOrThrow)
    if (text === null) return { kind: 'absent' }
    const document = parseJson(text)
    const parsed = StateDocument.safeParse(document)
    if (parsed.success) return { kind: 'read', state: parsed.data }
    const setAsideAs = `${path}.damaged-${new Date(nowMs).toISOString().replaceAll(':', '')}`
    await rename(path, setAsideAs)
    const detail = z.prettifyError(parsed.error).slice(0, 300)
    return { kind: 'damaged', setAsideAs, detail, salvaged: salvage(document) }
  } catch (error) {
    throw toAgentError('StateUnwritable', `reading ${path}`, error)
  }
}

/** For who only looks: null where there is nothing to read, or not yet; the file is left alone. */
export async function peekState(path: string): Promise<State | null> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const parsed = StateDocument.safeParse(parseJson(text))
  return parsed.success ? parsed.data : null
}

/**
 * Durable when it resolves; see `writeDurably`.
 * @throws AgentError StateUnwritable.
 */
export async function writeState(path: string, state: State): Promise<void> {
  try {
    await writeDurably(path, `${JSON.stringify(state)}\n`, 0o600)
  } catch (error) {
    throw toAgentError('StateUnwritable', `writing ${path}`, error)
  }
}

function absentOrThrow(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
