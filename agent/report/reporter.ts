import { setTimeout as delay } from 'node:timers/promises'
import { toBinary } from '@bufbuild/protobuf'
import type { Logger } from 'pino'
import { ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { backoffMs } from '../update/backoff.ts'
import { expiryNotice } from './expiry.ts'
import { openChannel } from './channel.ts'
import type { ChannelOptions } from './channel.ts'
import { runStream } from './stream.ts'
import type { Outbox } from './stream.ts'

export type ReporterOptions = ChannelOptions & {
  readonly log: Logger
  readonly signal: AbortSignal
  /** Default: 10 s, spread by a fifth. */
  readonly heartbeatMs?: number
}

export type Reporter = {
  /** The report as of now; the newest replaces one that is not sent yet, an unchanged one is not sent. */
  report(report: Report): void
  /** Bytes of the running download; at most one message a second. */
  progress(doneBytes: number, totalBytes: number): void
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
    closed: keepConnected(options, outbox),
  }
}

async function keepConnected(options: ReporterOptions, outbox: Outbox): Promise<void> {
  const { signal, log } = options
  const client = openChannel(options)
  const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
  let failures = 0
  try {
    while (!signal.aborted) {
      const ended = await runStream({ client, outbox, heartbeatMs, signal })
      if (signal.aborted) return
      failures = ended.acknowledged ? 1 : failures + 1
      const delayMs = backoffMs(failures, Math.random(), RECONNECT)
      const { reason } = ended
      log[failures === 1 ? 'info' : 'debug']({ reason, delayMs }, 'connection to the controller ended')
      const expiry = expiryNotice(options.certificatePem, Date.now())
      if (expiry !== null && failures % EXPIRY_EVERY === 1) log.error(expiry)
      await delay(delayMs, undefined, { signal }).catch(() => {})
    }
  } finally {
    client.close()
  }
}
