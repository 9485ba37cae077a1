import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gatherChecks } from '../checks.ts'
import type { Network } from '../checks.ts'
import type { AgentConfig, FollowingConfig } from '../config.ts'
import { openSystemObserver } from '../hosts/report-only.ts'
import { containerSnapProgram } from '../hosts/container-snap-program.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import type { Status } from '../hosts/container-snap-status.ts'
import { openHost, openMachine } from '../hosts/open-host.ts'
import { keysOnDisk, openKeyFiles } from '../identity/key-files.ts'
import { authoritiesOnDisk, signingOnDisk } from '../identity/trust.ts'
import { networkOf } from '../network.ts'
import { peekState } from '../state-file.ts'
import { awaitVerdict } from './health-service.ts'
import { statusLines, systemLines, whyLines } from './words.ts'

/** What people and the service manager ask on the host; none of it needs a network. */
export type LocalCommand = 'status' | 'why' | 'check' | 'health'

export type LocalOptions = {
  readonly config: AgentConfig
  /** For `health`: until when the agent must have started. */
  readonly agentWithinMs: number
  readonly signal: AbortSignal
}

/** Lines for stdout, and the exit status. */
export type Answer = { readonly lines: readonly string[]; readonly exitCode: 0 | 1 }

export async function answer(command: LocalCommand, options: LocalOptions): Promise<Answer> {
  const { config } = options
  if (config.nats === null) return answerObserved(command, options)
  return answerUpdated(command, { ...options, config })
}

/** Of a host that follows plans. */
type Asked = LocalOptions & { readonly config: FollowingConfig }

async function answerUpdated(command: LocalCommand, asked: Asked): Promise<Answer> {
  const { config } = asked
  switch (command) {
    case 'status': {
      const [state, status] = [await peekState(statePath(config)), await statusOf(asked)]
      const lines = statusLines(state, status, { nowMs: Date.now(), ...config.plans })
      return { lines: [...lines, ...(await identityLines(config))], exitCode: 0 }
    }
    case 'why': {
      const at = { hostName: config.name, nowMs: Date.now() }
      // What the agent knows counts where container-snap cannot be asked.
      const status = await statusOf(asked).catch(() => null)
      return { lines: whyLines(await peekState(statePath(config)), status, at), exitCode: 0 }
    }
    case 'check':
      return check(asked)
    case 'health':
      return health(asked)
  }
}

/** Whom the host believes, and how it keeps what it is known by. */
async function identityLines(config: AgentConfig): Promise<readonly string[]> {
  const signing = await signingOnDisk(trustPath(config)).catch((error: Error) => error.message)
  return [`trust   ${signing}`, `keys    ${await keysOnDisk(config.identityDir)}`]
}

const ONLY_REPORTS = 'this host only reports what it runs (driver: report-only), and is never updated'

async function answerObserved(command: LocalCommand, { config, signal }: LocalOptions): Promise<Answer> {
  switch (command) {
    case 'status': {
      const lines = systemLines(await openSystemObserver({ root: '/' })(signal))
      return { lines: [...lines, ...(await identityLines(config))], exitCode: 0 }
    }
    case 'why':
    case 'check':
    case 'health':
      return { lines: [ONLY_REPORTS], exitCode: 0 }
  }
}

function statePath({ stateDir }: AgentConfig): string {
  return join(stateDir, 'state.json')
}

function trustPath({ stateDir }: AgentConfig): string {
  return join(stateDir, 'trust.jsonl')
}

async function statusOf({ config: { host }, signal }: Asked): Promise<Status | null> {
  if (host.driver !== 'container-snap') return null
  const { command, env } = host
  return readStatus(containerSnapProgram({ command, sysroot: openMachine(host).sysroot, env }), signal)
}

/** The checks of the plan, once and now. */
async function check({ config, signal }: Asked): Promise<Answer> {
  const { host } = config
  const state = await peekState(statePath(config))
  if (state === null || state.accepted === null) return { lines: ['no plan has come yet'], exitCode: 0 }
  const { health: policy, image } = state.accepted
  const driver = await openHost(host, config.stateDir)
  const network = await networkOnDisk(config, signal)
  const asked = { health: policy, repository: image.repository }
  const checks = await gatherChecks(asked, { driver, ...(network === null ? {} : { network }) })
  const lines: string[] = []
  let exitCode: 0 | 1 = 0
  for (const { name, run } of checks) {
    const outcome = await run(signal)
    if (outcome.kind === 'failed') exitCode = 1
    const word = { passed: 'passed', noted: 'wanted', failed: 'failed' }[outcome.kind]
    lines.push(`${word}  ${name}${outcome.kind === 'passed' ? '' : `: ${outcome.detail}`}`)
  }
  return { lines: lines.length === 0 ? ['the plan asks for no checks'] : lines, exitCode }
}

/** Null on a host that is not enrolled yet. */
async function networkOnDisk(config: FollowingConfig, signal: AbortSignal): Promise<Network | null> {
  const { identityDir: directory, identity } = config
  const read = (name: string) => readFile(join(directory, name), 'utf8')
  const keys = openKeyFiles({ directory, ...identity, warn: () => {}, signal })
  try {
    const [certificatePem, caPem] = await Promise.all([read('certificate.pem'), read('ca.pem')])
    const keyPem = await keys.read('key.pem')
    if (keyPem === null) return null
    const authorities = await authoritiesOnDisk(trustPath(config))
    return networkOf(config, () => ({ keyPem, certificatePem, caPem: authorities ?? caPem }))
  } catch {
    return null
  }
}

async function health({ config, agentWithinMs, signal }: Asked): Promise<Answer> {
  const { host } = config
  if (host.driver === 'simulated') return { lines: ['a simulated host is never on trial'], exitCode: 0 }
  const opinion = await awaitVerdict({ config, machine: openMachine(host), agentWithinMs, signal })
  if (opinion.kind === 'waiting') return { lines: ['stopped before the verdict'], exitCode: 0 }
  return { lines: [opinion.message], exitCode: opinion.kind === 'passed' ? 0 : 1 }
}
