import { create } from '@bufbuild/protobuf'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { AttachRequestSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type {
  AgentService,
  AttachRequest,
  AttachResponse,
  Report,
} from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { ServiceClient } from '../../proto/grpc.ts'

/** What waits to be sent: never more than one of each kind, the newest. */
export type Outbox = {
  report: Report | null
  reportBytes: Buffer | null
  progress: { readonly doneBytes: bigint; readonly totalBytes: bigint } | null
  /** Set by the stream that runs. */
  wake: () => void
}

export type StreamOptions = {
  readonly client: ServiceClient<typeof AgentService>
  readonly outbox: Outbox
  readonly heartbeatMs: number
  readonly onAnswer: () => void
  /** Number of the trust bundle that this host holds, told with every message; 0 before the first. */
  readonly trustNumber: () => number
  /** A bundle that may follow it; unverified. */
  readonly onTrust: (envelope: Uint8Array) => void
  readonly signal: AbortSignal
}

export type StreamEnd = { readonly reason: string; readonly acknowledged: boolean }

const PROGRESS_INTERVAL_MS = 1_000
/** A report that is not acknowledged for so long was sent into the void. */
const ACKNOWLEDGE_TIMEOUT_MS = 60_000

type Call = ClientDuplexStream<AttachRequest, AttachResponse>

/** One stream from its first report to its end; never rejects. */
export function runStream(options: StreamOptions): Promise<StreamEnd> {
  const { client, outbox, signal } = options
  const call: Call = client.attach({ deadline: Infinity })
  const timers = new Set<NodeJS.Timeout>()
  return new Promise((resolve) => {
    let acknowledged = false
    const sender = createSender(call, options, timers)
    const stop = (): void => call.cancel()
    const end = (reason: string): void => {
      signal.removeEventListener('abort', stop)
      outbox.wake = () => {}
      for (const timer of timers) clearTimeout(timer)
      resolve({ reason, acknowledged })
    }
    signal.addEventListener('abort', stop, { once: true })
    call.on('data', (response: AttachResponse) => {
      acknowledged = true
      options.onAnswer()
      if (response.trustBundle.length > 0) options.onTrust(response.trustBundle)
      sender.acknowledge(response.acknowledgedThrough)
    })
    call.on('drain', () => sender.flush())
    call.on('error', (error) => end(error.message))
    call.on('end', () => {
      call.end()
      end('the controller ended the stream')
    })
    outbox.wake = () => sender.flush()
    sender.flush()
    if (signal.aborted) stop()
  })
}

type Sender = { readonly flush: () => void; readonly acknowledge: (through: bigint) => void }

/** The first message of a stream is the whole report, whatever an earlier stream sent. */
function createSender(
  call: Call,
  { outbox, heartbeatMs, trustNumber }: StreamOptions,
  timers: Set<NodeJS.Timeout>,
): Sender {
  let sequence = 0n
  let sentBytes: Buffer | null = null
  let acknowledgedThrough = 0n
  let progressAllowedAtMs = 0
  let blocked = false

  const later = (delayMs: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, delayMs)
    timers.add(timer)
  }
  const send = (message: AttachRequest['message']): void => {
    sequence += 1n
    blocked = !call.write(create(AttachRequestSchema, { sequence, message, trustBundle: trustNumber() }))
  }
  const sendReport = (): void => {
    if (outbox.report === null || outbox.reportBytes === sentBytes) return
    sentBytes = outbox.reportBytes
    send({ case: 'report', value: outbox.report })
    const watched = sequence
    later(ACKNOWLEDGE_TIMEOUT_MS, () => {
      if (acknowledgedThrough < watched) call.cancel()
    })
  }
  const sendProgress = (): void => {
    const { progress } = outbox
    if (progress === null || sentBytes === null) return
    const waitMs = progressAllowedAtMs - performance.now()
    if (waitMs > 0) return
    outbox.progress = null
    progressAllowedAtMs = performance.now() + PROGRESS_INTERVAL_MS
    send({ case: 'progress', value: { $typeName: 'bootfleet.v1.Progress', ...progress } })
    // A timer may fire a little early by the other clock.
    later(PROGRESS_INTERVAL_MS + 10, flush)
  }
  const flush = (): void => {
    if (!blocked) sendReport()
    if (!blocked) sendProgress()
  }
  const beat = (): void => {
    if (!blocked && sentBytes !== null)
      send({ case: 'heartbeat', value: { $typeName: 'bootfleet.v1.Heartbeat' } })
    later(heartbeatMs * (0.8 + 0.4 * Math.random()), beat)
  }
  later(heartbeatMs * Math.random(), beat)
  return {
    flush: () => flush(),
    acknowledge: (through) => {
      acknowledgedThrough = through
      flush()
    },
  }
}
