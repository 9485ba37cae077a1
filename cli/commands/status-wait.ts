import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { SourceStatus, Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { shortHash } from '../../proto/picture/words.ts'
import { call, closeClient, openClient, watchStatus } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import type { Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { judge } from '../wait.ts'
import type { WaitMemory, WaitTarget } from '../wait.ts'

export type WaitOptions = {
  readonly revision: string
  readonly fleet: string | null
  readonly timeoutMs: number
}
export type Waited = { readonly status: Status | null; readonly exit: ExitStatus }

const marks: ReadonlyMap<ExitStatus, string> = new Map([
  [exitStatus.done, '✔'],
  [exitStatus.paused, '‖'],
  [exitStatus.superseded, '»'],
])

/** Ends when the revision is decided, at the timeout, or when interrupted; outages of the controller are waited out. */
export async function waitForRevision(
  session: Session,
  context: Context,
  options: WaitOptions,
): Promise<Waited> {
  const late = new AbortController()
  // A timer of our own: Node 20 may collect a signal of AbortSignal.timeout before it fires.
  const timer = setTimeout(() => late.abort(), options.timeoutMs)
  const signal = AbortSignal.any([session.terminal.signal, late.signal])
  const client = await openClient(context)
  try {
    return await follow(session, client, { ...options, signal })
  } finally {
    clearTimeout(timer)
    closeClient(client)
  }
}

async function follow(
  { terminal }: Session,
  client: OperatorClient,
  options: WaitOptions & { readonly signal: AbortSignal },
): Promise<Waited> {
  const target = await resolveTarget(client, options, terminal.note)
  let memory: WaitMemory | null = null
  let last: Status | null = null
  let said = ''
  const say = (message: string): void => {
    if (message !== said) terminal.note(`◎ ${message}\n`)
    said = message
  }
  for await (const seen of target === null ? [] : watchStatus(client, options.signal)) {
    if (seen.kind === 'lost') {
      say(seen.why)
      continue
    }
    last = seen.status
    const step = judge(target ?? { name: '', fleet: null, known: false }, memory, seen.status)
    memory = step.memory
    if (step.verdict.kind === 'ended') {
      const { exit, message } = step.verdict
      terminal.note(`${marks.get(exit) ?? '✖'} ${message}\n`)
      return { status: last, exit }
    }
    say(step.verdict.message)
  }
  if (terminal.signal.aborted) throw new CliError('Interrupted', 'interrupted while waiting')
  terminal.note(
    `✖ timed out after ${options.timeoutMs / 1000}s; last seen: ${said === '' ? 'nothing' : said}\n`,
  )
  return { status: last, exit: exitStatus.timedOut }
}

/** HEAD is what git has now: the controller looks first. Null when the time was up before it answered. */
async function resolveTarget(
  client: OperatorClient,
  { revision, fleet, signal }: WaitOptions & { readonly signal: AbortSignal },
  note: (text: string) => void,
): Promise<WaitTarget | null> {
  const name = revision.toLowerCase().replace(/^sha256:/, '')
  if (revision !== 'HEAD' && !/^[0-9a-f]{4,64}$/.test(name)) {
    const wanted = 'HEAD, or at least 4 hex digits of a commit or revision'
    throw new CliError('BadUsage', `--revision takes ${wanted}, not "${revision}"`)
  }
  while (!signal.aborted) {
    const source = await Promise.race([syncUnlessAway(client, note), aborted(signal)])
    if (source !== null && revision !== 'HEAD') return { name, fleet, known: false }
    if (source !== null && source.headCommit !== '') {
      note(`◎ waiting for commit ${shortHash(source.headCommit)}\n`)
      return { name: source.headCommit, fleet, known: true }
    }
    if (source !== null) note(`◎ the source has no commit yet: ${source.error}\n`)
    await sleep(500, undefined, { signal }).catch(() => undefined)
  }
  return null
}

/** A call that hangs must not outlast what the caller is willing to wait. */
function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

async function syncUnlessAway(
  client: OperatorClient,
  note: (text: string) => void,
): Promise<SourceStatus | null> {
  try {
    return (await call(client, client.service.sync, create(SyncRequestSchema))).source ?? null
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'ControllerUnreachable') throw error
    note(`◎ ${error.message}\n`)
    return null
  }
}
