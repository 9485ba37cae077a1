import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { Deployment, LocalMove } from '../update/facts.ts'
import type { Call } from './container-snap-program.ts'
import type { BootGuard } from './host-driver.ts'

const KnownDeployment = z.object({
  id: z.string(),
  digest: z.string(),
  manifestDigest: z.string(),
  blessed: z.boolean(),
  bad: z.string().nullable(),
  /** The label of its image; empty where it has none. */
  version: z.string().max(256).exactOptional(),
  /** Its file on the ESP; null where there is none. */
  entry: z.string().nullable(),
  /** Null where its entry is not counted. */
  triesLeft: z.number().nullable(),
  kernelArguments: z.array(z.string()).default([]),
})
export type KnownDeployment = z.infer<typeof KnownDeployment>

const Status = z.object({
  current: z.object({ id: z.string() }).nullable(),
  default: z.object({ id: z.string() }).nullable(),
  /** The last activation, until it was blessed or left. */
  activated: z.object({ id: z.string(), bootId: z.string() }).nullable(),
  /** Absent in programs of before it was kept. */
  moved: z
    .object({
      id: z.string().min(1).max(64),
      digest: z.string(),
      user: z.string().max(64),
      command: z.string().max(32),
      at: z.iso.datetime(),
    })
    .nullable()
    .default(null),
  deployments: z.array(KnownDeployment),
  /** Absent in programs of before it was told. */
  loader: z.string().default(''),
  guard: z.enum(['counted', 'uncounted']).nullable().default(null),
  kernelLine: z
    .array(z.object({ argument: z.string(), source: z.string() }))
    .nullable()
    .default(null),
})
export type Status = {
  readonly current: KnownDeployment | null
  readonly default: KnownDeployment | null
  readonly activated: { readonly id: string; readonly bootId: string } | null
  readonly moved?: LocalMove
  readonly deployments: readonly KnownDeployment[]
  readonly loader: string
  readonly guard: BootGuard
  readonly kernelLine: readonly { readonly argument: string; readonly source: string }[] | null
}

/** What `container-snap status --json` says. */
export async function readStatus(call: Call, signal: AbortSignal): Promise<Status> {
  const attempt = 'reading what is deployed'
  const text = await call(['status', '--json'], { code: 'InspectFailed', attempt, signal })
  const parsed = Status.safeParse(parseJson(text))
  if (!parsed.success) {
    const found = z.prettifyError(parsed.error).slice(0, 300)
    throw new AgentError('InspectFailed', `${attempt}: ${found}`)
  }
  const { current, default: next, moved, ...others } = parsed.data
  const find = (root: { id: string } | null) => others.deployments.find(({ id }) => id === root?.id) ?? null
  return { ...others, current: find(current), default: find(next), ...toMove(moved) }
}

function toMove(moved: z.infer<typeof Status>['moved']): { readonly moved?: LocalMove } {
  if (moved === null) return {}
  const { id, digest, user, command, at } = moved
  return { moved: { id, user, command, atMs: Date.parse(at), digest: digest || null } }
}

/** The program says an empty string where it does not know. */
export function toDeployment({ id, digest, kernelArguments, manifestDigest }: KnownDeployment): Deployment {
  const known = { deploymentId: id, digest: digest || null, manifestDigest: manifestDigest || null }
  // Left out where there are none: an agent that a fallback brings back must still read the state.
  return kernelArguments.length === 0 ? known : { ...known, kernelArguments }
}

/** What the boot loader and the ledger say of a deployment that did not stay. */
export function loaderEvidence({ deployments }: Status, deploymentId: string): readonly string[] {
  const found = deployments.find(({ id }) => id === deploymentId)
  if (found === undefined) return [`deployment ${deploymentId} is gone`]
  const { entry, triesLeft, bad } = found
  const tries = triesLeft === null ? '' : `, ${triesLeft} tries left`
  const marked = bad === null ? [] : [`marked bad: ${bad}`]
  // Lists show the first line alone, and without an entry the mark says more.
  if (entry === null) return [...marked, `no boot entry of ${deploymentId}`]
  return [`boot entry ${entry}${tries}`, ...marked]
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
