import { readFile, rename } from 'node:fs/promises'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import { toAgentError } from './errors.ts'
import type { State } from './update/types.ts'

const Grant = z.int().nullable()
const AcceptedPlan = z.strictObject({
  payloadSha256: z.string(),
  fleet: z.string(),
  rollout: z.string(),
  generation: z.int(),
  attempt: z.int(),
  term: z.int(),
  counter: z.int(),
  issuedAtMs: z.int(),
  image: z.strictObject({
    repository: z.string(),
    digest: z.string(),
    manifestDigest: z.string(),
    version: z.string(),
  }),
  stageUntilMs: Grant,
  activateUntilMs: Grant,
  health: z.strictObject({ checks: z.array(z.string()), stableForMs: z.int(), deadlineMs: z.int() }),
  limits: z.strictObject({ maxReboots: z.int(), maxBytes: z.int() }),
  deny: z.array(z.string()),
})
const Failure = z.strictObject({
  code: z.string(),
  message: z.string(),
  failedChecks: z.array(z.strictObject({ name: z.string(), detail: z.string() })),
})
const Commit = z.strictObject({
  targetDeploymentId: z.string(),
  previousDeploymentId: z.string(),
  bootId: z.string(),
  rebootsUsed: z.int(),
})
const Retry = z.strictObject({ failures: z.int(), atMs: z.int().nullable() })
const Position = z.discriminatedUnion('phase', [
  z.strictObject({ phase: z.literal('Idle') }),
  z.strictObject({ phase: z.enum(['Downloading', 'Staging']), plan: AcceptedPlan, retry: Retry }),
  z.strictObject({ phase: z.literal('Ready'), plan: AcceptedPlan }),
  z.strictObject({ phase: z.literal('Staged'), plan: AcceptedPlan, targetDeploymentId: z.string() }),
  z.strictObject({
    phase: z.enum(['Activating', 'Rebooting']),
    plan: AcceptedPlan,
    commit: Commit,
    retry: Retry,
  }),
  z.strictObject({
    phase: z.literal('Verifying'),
    plan: AcceptedPlan,
    commit: Commit.nullable(),
    deadlineAtMs: z.int(),
  }),
  z.strictObject({
    phase: z.literal('RollingBack'),
    plan: AcceptedPlan,
    commit: Commit,
    failure: Failure,
    retry: Retry,
  }),
  z.strictObject({ phase: z.literal('Healthy'), plan: AcceptedPlan }),
  z.strictObject({ phase: z.enum(['Failed', 'RolledBack']), plan: AcceptedPlan, failure: Failure }),
])
const StateDocument: z.ZodType<State> = z.strictObject({
  version: z.literal(1),
  accepted: AcceptedPlan.nullable(),
  at: Position,
  phaseEnteredAtMs: z.int(),
  booted: z.strictObject({
    bootId: z.string(),
    current: z
      .strictObject({
        deploymentId: z.string(),
        digest: z.string().nullable(),
        manifestDigest: z.string().nullable(),
      })
      .nullable(),
  }),
  deniedDigests: z.array(z.string()),
  operation: z.int(),
})

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
export type Salvaged = Pick<State, 'accepted' | 'deniedDigests'>

const LooseImage = z.object({ digest: z.string() })
const LooseState = z.object({
  accepted: AcceptedPlan.loose().nullable().catch(null),
  deniedDigests: z.array(z.string()).catch([]),
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
  const { accepted, deniedDigests, at } = parsed.data
  const onTrial = at === null ? [] : [at.plan.image.digest]
  const known = accepted === null ? null : AcceptedPlan.strip().parse(accepted)
  return { accepted: known, deniedDigests: [...new Set([...deniedDigests, ...onTrial])] }
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
