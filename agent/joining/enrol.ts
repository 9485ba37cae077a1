import { createPublicKey } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admitted } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { hostIdOf } from '../../proto/identity.ts'
import { fingerprintOf } from '../../proto/join-token.ts'
import { KEYS_UNSET, STATE_DIR, parseConfig } from '../config.ts'
import { AgentError } from '../errors.ts'
import { createCertificateRequest } from '../identity/certificate-request.ts'
import { loadOrMakeKey } from '../identity/identity.ts'
import { openKeyFiles } from '../identity/key-files.ts'
import { openNatsUser } from '../identity/nats-user.ts'
import { readIfThere } from '../identity/trust-material.ts'
import { backoffMs } from '../update/backoff.ts'
import { ask } from './ask.ts'
import type { JoinRequest } from './ask.ts'
import { takeIn } from './material.ts'
import { findAuthority } from './pinned-server.ts'
import { readTokenFile } from './token-file.ts'

export type EnrolOptions = {
  readonly tokenFile: string
  /** HOST:PORT of the controller's listener for hosts that join. */
  readonly server: string
  /** Null: the configuration's, else the machine's. */
  readonly name: string | null
  readonly configPath: string
  /** So long a person may take. */
  readonly waitMs: number
  /** A line for whoever watches. */
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const RETRY = { baseMs: 1_000, maxMs: 30_000 }
const ASK_EVERY = { minMs: 1_000, maxMs: 60_000 }

/**
 * Asks for this host to be enrolled until it is, or is refused. Running it again takes the same request up again.
 * @throws AgentError ConfigInvalid, EnrolRefused, ControllerAway, IdentityInvalid, Stopped.
 */
export async function enrol(options: EnrolOptions): Promise<void> {
  const { configPath, say, server } = options
  const token = await readTokenFile(options.tokenFile)
  const text = await readIfThere(configPath)
  const config = text === null ? null : parseConfig(text, configPath)
  const identityDir = config?.identityDir ?? join(STATE_DIR, 'identity')
  const settings = { directory: identityDir, ...(config?.identity ?? KEYS_UNSET) }
  const keys = openKeyFiles({ ...settings, warn: ({ message }) => say(message), signal: options.signal })
  const nats = await openNatsUser(identityDir, keys)
  const key = await loadOrMakeKey(identityDir, keys)
  const hostId = hostIdOf(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  const hostName = (options.name ?? config?.name ?? hostname()).toLowerCase()
  say(`host ${hostName}, fingerprint ${fingerprintOf(hostId)}`)
  const request = {
    token,
    certificateRequestPem: createCertificateRequest(key, hostId),
    natsUserPublicKey: nats.publicKey,
    hostName,
  }
  const { admitted, authorityPem } = await askUntilDecided(options, request, fingerprintOf(hostId))
  const newConfigPath = config === null ? configPath : null
  await takeIn(
    admitted,
    { hostId, key, nats, authorityPem },
    { identityDir, newConfigPath, joinAddress: server },
  )
  say(`enrolled at ${server} as ${admitted.hostName}; ${options.tokenFile} is not needed any more`)
}

type Decided = { readonly admitted: Admitted; readonly authorityPem: string }

async function askUntilDecided(
  { server: address, waitMs, say, signal }: EnrolOptions,
  request: JoinRequest,
  fingerprint: string,
): Promise<Decided> {
  const endsAtMs = performance.now() + waitMs
  const tell = onceEach(say)
  let last = 'nobody answered'
  for (let failures = 0; performance.now() < endsAtMs && !signal.aborted;) {
    let pauseMs: number
    try {
      const authorityPem = await findAuthority(address, request.token.authoritySha256, signal)
      const { outcome } = await ask({ address, authorityPem }, request, signal)
      if (outcome.case === 'admitted') return { admitted: outcome.value, authorityPem }
      if (outcome.case === undefined)
        throw new AgentError('EnrolRefused', `enrolling at ${address}: no answer`)
      failures = 0
      last = 'nobody has approved it yet'
      tell(`waiting for a person: bootfleet approve request/${fingerprint} ${outcome.value.message}`.trim())
      pauseMs = pauseOf(Number(outcome.value.retryAfterMs))
    } catch (error) {
      if (!(error instanceof AgentError && error.code === 'ControllerAway') || signal.aborted) throw error
      failures += 1
      last = error.message
      tell(`${last}; trying again`)
      pauseMs = backoffMs(failures, Math.random(), RETRY)
    }
    const leftMs = Math.max(0, endsAtMs - performance.now())
    await delay(Math.min(pauseMs, leftMs), undefined, { signal }).catch(() => undefined)
  }
  if (signal.aborted) throw new AgentError('Stopped', `enrolling at ${address}: stopped`)
  throw new AgentError(
    'ControllerAway',
    `enrolling at ${address}: ${last}; run it again with the same token file, which takes this request up again`,
  )
}

/** As the server asks, within our own bounds, and not all hosts at once. */
function pauseOf(askedMs: number): number {
  const bounded = Math.min(Math.max(askedMs, ASK_EVERY.minMs), ASK_EVERY.maxMs)
  return bounded * (0.75 + Math.random() / 2)
}

function onceEach(say: (line: string) => void): (line: string) => void {
  let last = ''
  return (line) => {
    if (line !== last) say(line)
    last = line
  }
}
