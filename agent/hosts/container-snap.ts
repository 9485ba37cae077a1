import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { AgentErrorCode } from '../errors.ts'
import { execute, lastLine } from '../exec.ts'
import type { HostFacts, Image } from '../update/types.ts'
import { toOciArchitecture } from './architecture.ts'
import type { HostDriver, PullOptions } from './host-driver.ts'
import type { Machine } from './machine.ts'
import { runNamedCheck } from './named-check.ts'
import { readOsRelease } from './os-release.ts'

export type ContainerSnapOptions = {
  /** The program, by name or path. */
  readonly command: string
  readonly machine: Machine
  /** For the program: where registries and their credentials are configured. */
  readonly env: Readonly<Record<string, string>>
}

const Deployment = z.object({ id: z.string(), digest: z.string(), manifestDigest: z.string() })
const Status = z.object({
  current: Deployment.nullable(),
  default: Deployment.nullable(),
  deployments: z.array(Deployment),
})
const PullLine = z.discriminatedUnion('event', [
  z.object({ event: z.literal('progress'), doneBytes: z.number(), totalBytes: z.number() }),
  z.object({ event: z.literal('pulled'), imageId: z.string(), manifestDigest: z.string() }),
])
type Pulled = Extract<z.infer<typeof PullLine>, { event: 'pulled' }>

/** Exit statuses of the program that mean: not by trying again. */
const REFUSALS: ReadonlySet<number> = new Set([2, 4, 7])
const NO_SPACE = 8
/** setpriv's own, as a shell's. */
const NO_SUCH_PROGRAM = 127
/** What a killed agent left behind must not move the default after the next one has looked at it. */
const ENDS_WITH_AGENT = ['setpriv', '--pdeathsig', 'TERM', '--'] as const
const QUICK_TIMEOUT_MS = 2 * 60_000
/** What writes out the file system: a slow disk has minutes of it. */
const SYNC_TIMEOUT_MS = 15 * 60_000
const PULL_TIMEOUT_MS = 6 * 60 * 60_000

/** A host whose deployments are kept by the `container-snap` program, known only by its command line. */
export function openContainerSnapHost({ command, machine, env }: ContainerSnapOptions): HostDriver {
  const place = machine.sysroot === null ? [] : ['--sysroot', machine.sysroot]
  const call = async (arguments_: readonly string[], { code, attempt, ...options }: CallOptions) => {
    const settings = { timeoutMs: QUICK_TIMEOUT_MS, ...options, attempt, env }
    const result = await execute([...ENDS_WITH_AGENT, command, ...place, ...arguments_], settings)
    if (result.exitCode === 0) return result.stdout
    if (result.exitCode === NO_SUCH_PROGRAM) {
      throw new AgentError('ExecMissing', `${attempt}: there is no program ${command}; install it`)
    }
    if (result.exitCode === NO_SPACE)
      throw new AgentError('NoSpace', `${attempt}: ${lastLine(result.stderr)}`)
    const said = lastLine(result.stderr) || `exit status ${result.exitCode}`
    throw new AgentError(REFUSALS.has(result.exitCode) ? 'ImageRefused' : code, `${attempt}: ${said}`)
  }
  const pull = (image: Image, options: PullOptions) => pullImage(call, image, options)
  return {
    name: 'container-snap',
    architecture: toOciArchitecture(process.arch),
    prepare: (signal) => machine.prepare(signal),
    inspect: async (signal) => {
      const attempt = 'reading what is deployed'
      const text = await call(['status', '--json'], { code: 'InspectFailed', attempt, signal })
      return factsOf(text, await machine.bootId())
    },
    osRelease: () => readOsRelease(machine.root),
    pull,
    stage: async (image, options) => {
      // Pulled again to learn the image's id: what is there already is not downloaded twice.
      const { imageId } = await pull(image, options)
      const attempt = `deploying ${image.digest}`
      const called = { code: 'StageFailed', attempt, signal: options.signal } as const
      return (await call(['create-snapshot', imageId], { ...called, timeoutMs: SYNC_TIMEOUT_MS })).trim()
    },
    activate: async (deploymentId, signal) => {
      const attempt = `activating ${deploymentId}`
      const called = { code: 'ActivateFailed', attempt, signal, timeoutMs: SYNC_TIMEOUT_MS } as const
      await call(['switch', deploymentId], called)
    },
    reboot: (signal) => machine.reboot(signal),
    runCheck: (name, signal) => runNamedCheck(machine, name, signal),
  }
}

type CallOptions = {
  readonly code: AgentErrorCode
  readonly attempt: string
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  readonly onLine?: (line: string) => void
}
type Call = (arguments_: readonly string[], options: CallOptions) => Promise<string>

async function pullImage(call: Call, image: Image, options: PullOptions): Promise<Pulled> {
  const { maxBytes, onProgress, signal } = options
  const stop = new AbortController()
  let pulled: Pulled | null = null
  let largestBytes = 0
  const onLine = (text: string): void => {
    const line = PullLine.safeParse(parseJson(text))
    if (!line.success) return
    if (line.data.event === 'pulled') {
      pulled = line.data
      return
    }
    const { doneBytes, totalBytes } = line.data
    largestBytes = Math.max(largestBytes, doneBytes, totalBytes)
    if (largestBytes > maxBytes) stop.abort()
    else onProgress(doneBytes, totalBytes)
  }
  const attempt = `pulling ${image.repository}@${image.digest}`
  const arguments_ = ['pull', '--progress=json', `docker://${image.repository}@${image.digest}`]
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

function factsOf(text: string, bootId: string): HostFacts {
  const parsed = Status.safeParse(parseJson(text))
  if (!parsed.success) {
    const found = z.prettifyError(parsed.error).slice(0, 300)
    throw new AgentError('InspectFailed', `reading what is deployed: ${found}`)
  }
  const { current, default: next, deployments } = parsed.data
  return {
    bootId,
    current: current && toDeployment(current),
    default: next && toDeployment(next),
    deployments: deployments.map(toDeployment),
  }
}

/** The program says an empty string where it does not know. */
function toDeployment({
  id,
  digest,
  manifestDigest,
}: z.infer<typeof Deployment>): HostFacts['deployments'][number] {
  return { deploymentId: id, digest: digest || null, manifestDigest: manifestDigest || null }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
