import { setTimeout as delay } from 'node:timers/promises'
import { toBinary } from '@bufbuild/protobuf'
import type { Logger } from 'pino'
import { ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { backoffMs } from '../update/backoff.ts'
import { expiryNotice } from './expiry.ts'
import { openChannel } from './channel.ts'
import type { Credentials, Endpoint } from './channel.ts'
import { runStream } from './stream.ts'
import type { Outbox, StreamOptions } from './stream.ts'

export type ReporterOptions = Endpoint & {
  /** Asked for every stream. */
  readonly credentials: () => Credentials
  readonly log: Logger
  readonly signal: AbortSignal
  /** Default: 10 s, spread by a fifth. */
  readonly heartbeatMs?: number
  /** Called whenever the controller acknowledged something. */
  readonly onAnswer: () => void
} & Pick<StreamOptions, 'trustNumber' | 'onTrust'>

export type Reporter = {
  /** The report as of now; the newest replaces one that is not sent yet, an unchanged one is not sent. */
  report(report: Report): void
  /** Bytes of the running download; at most one message a second. */
  progress(doneBytes: number, totalBytes: number): void
  /** Goes on over a connection with the credentials as they are now. */
  reconnect(): void
  /** Resolves when `signal` has fired and the connection is closed. */
  readonly closed: Promise<void>
}

const HEARTBEAT_MS = 10_000
/** Tries between two complaints; about ten minutes. */
const EXPIRY_EVERY = 40
const RECONNECT = { baseMs: 400, maxMs: 30_000 }

/** Keep one stream to the controller open until `signal` fires, and come back for ever when it breaks. */
export function openReporter(options: ReporterOptions): Reporter {
  const outbox: Outbox = { report: null, reportBytes: null, progress: null, wake: () => {} }
  const reopening: Reopening = { now: () => {} }
  return {
    report: (report) => {
      const bytes = Buffer.from(toBinary(ReportSchema, report))
      if (outbox.reportBytes?.equals(bytes) === true) return
      outbox.report = report
      outbox.reportBytes = bytes
      outbox.wake()
    },
    progress: (doneBytes, totalBytes) => {
      outbox.progress = { doneBytes: BigInt(doneBytes), totalBytes: BigInt(totalBytes) }
      outbox.wake()
    },
    reconnect: () => reopening.now(),
    closed: keepConnected(options, outbox, reopening),
  }
}

/** `now` is set by the stream that runs. */
type Reopening = { now: () => void }

async function keepConnected(options: ReporterOptions, outbox: Outbox, reopening: Reopening): Promise<void> {
  const { signal, log, onAnswer, trustNumber, onTrust, credentials } = options
  const channel = openRenewedChannel(options)
  const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
  let failures = 0
  try {
    while (!signal.aborted) {
      const reopen = new AbortController()
      reopening.now = () => reopen.abort()
      const either = AbortSignal.any([signal, reopen.signal])
      const client = channel.client()
      const ended = await runStream({
        client,
        outbox,
        heartbeatMs,
        onAnswer,
        trustNumber,
        onTrust,
        signal: either,
      })
      if (signal.aborted) return
      if (reopen.signal.aborted) continue
      failures = ended.acknowledged ? 1 : failures + 1
      const delayMs = backoffMs(failures, Math.random(), RECONNECT)
      const { reason } = ended
      log[failures === 1 ? 'info' : 'debug']({ reason, delayMs }, 'connection to the controller ended')
      const expiry = expiryNotice(credentials().certificatePem, Date.now())
      if (expiry !== null && failures % EXPIRY_EVERY === 1) log.error(expiry)
      await delay(delayMs, undefined, { signal: either }).catch(() => {})
    }
  } finally {
    channel.close()
  }
}

type RenewedChannel = {
  readonly client: () => ReturnType<typeof openChannel>
  readonly close: () => void
}

/** TLS takes its credentials when a channel is opened, so that other ones need another channel. */
function openRenewedChannel(options: ReporterOptions): RenewedChannel {
  let used = options.credentials()
  let client = openChannel(options, used)
  return {
    client: () => {
      const wanted = options.credentials()
      if (isSame(used, wanted)) return client
      const fresh = openChannel(options, wanted)
      client.close()
      used = wanted
      client = fresh
      return client
    },
    close: () => client.close(),
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  const sameKeys = one.keyPem === other.keyPem && one.certificatePem === other.certificatePem
  return sameKeys && one.caPem === other.caPem
}
