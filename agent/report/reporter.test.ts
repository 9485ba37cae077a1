import { create } from '@bufbuild/protobuf'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Phase, ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { openAttachServer } from '../testing/attach-server.ts'
import type { AttachServer } from '../testing/attach-server.ts'
import { openTestAuthority } from '../testing/certificates.ts'
import type { TestAuthority } from '../testing/certificates.ts'
import { freePort } from '../../test/support/nats-server.ts'
import { openReporter } from './reporter.ts'
import type { Reporter } from './reporter.ts'

const HOST_ID = 'a'.repeat(26)
const log = pino({ level: 'silent' })
const reportOf = (phase: Phase): Report => create(ReportSchema, { hostName: 'till-1', phase })

describe('a reporter', () => {
  let authority: TestAuthority
  let servers: AttachServer[]
  let reporters: Reporter[]
  let stop: AbortController

  beforeEach(() => {
    authority = openTestAuthority()
    servers = []
    reporters = []
    stop = new AbortController()
  })

  afterEach(async () => {
    stop.abort()
    await Promise.all(reporters.map(({ closed }) => closed))
    await Promise.all(servers.map((server) => server.close()))
    authority.close()
  })

  async function serve(options: Parameters<typeof openAttachServer>[1] = {}): Promise<AttachServer> {
    const server = await openAttachServer(authority, options)
    servers.push(server)
    return server
  }

  let answers = 0
  const bundles: Uint8Array[] = []

  function connect(address: string, from = authority, heartbeatMs = 60_000): Reporter {
    const { keyPem, certificatePem } = from.issue({ kind: 'host', hostId: HOST_ID })
    const { caPem } = authority
    const onAnswer = (): void => {
      answers += 1
    }
    const { signal } = stop
    const trust = { trustNumber: () => 3, onTrust: (envelope: Uint8Array) => void bundles.push(envelope) }
    const credentials = () => ({ keyPem, certificatePem, caPem })
    const options = { address, credentials, log, signal, heartbeatMs, onAnswer }
    const reporter = openReporter({ ...options, ...trust })
    reporters.push(reporter)
    return reporter
  }

  const phases = (server: AttachServer) => server.reportsOf(HOST_ID).map(({ phase }) => phase)

  it('sends what changed, once, in order', async () => {
    const server = await serve()
    const reporter = connect(server.address)
    reporter.report(reportOf(Phase.IDLE))
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.IDLE]), 90_000)
    reporter.report(reportOf(Phase.IDLE))
    reporter.report(reportOf(Phase.DOWNLOADING))
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.IDLE, Phase.DOWNLOADING]), 90_000)
    expect(server.received.map(({ request }) => request.sequence)).toEqual([1n, 2n])
    expect(server.received.map(({ request }) => request.trustBundle)).toEqual([3, 3])
    await vi.waitFor(() => expect(answers).toBeGreaterThan(0), 90_000)
    expect(bundles).toEqual([])
  })

  it('sends only the newest of what happened while there was no controller', async () => {
    const port = await freePort()
    const reporter = connect(`127.0.0.1:${port}`)
    for (const phase of [Phase.IDLE, Phase.DOWNLOADING, Phase.ROLLED_BACK]) reporter.report(reportOf(phase))
    const server = await serve({ port })
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.ROLLED_BACK]), 90_000)
  })

  it('sends the whole report again on every new stream', async () => {
    const server = await serve()
    const reporter = connect(server.address)
    reporter.report(reportOf(Phase.HEALTHY))
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.HEALTHY]), 90_000)
    server.drop()
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.HEALTHY, Phase.HEALTHY]), 90_000)
  })

  it('comes back to a controller that was restarted', async () => {
    const port = await freePort()
    const first = await serve({ port })
    const reporter = connect(first.address)
    reporter.report(reportOf(Phase.IDLE))
    await vi.waitFor(() => expect(phases(first)).toEqual([Phase.IDLE]), 90_000)
    await first.close()
    reporter.report(reportOf(Phase.HEALTHY))
    const second = await serve({ port })
    await vi.waitFor(() => expect(phases(second)).toEqual([Phase.HEALTHY]), 90_000)
  })

  it('reports without waiting for acknowledgements', async () => {
    const server = await serve({ acknowledge: false })
    const reporter = connect(server.address)
    reporter.report(reportOf(Phase.IDLE))
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.IDLE]), 90_000)
    reporter.report(reportOf(Phase.HEALTHY))
    await vi.waitFor(() => expect(phases(server)).toEqual([Phase.IDLE, Phase.HEALTHY]), 90_000)
  })

  it('sends progress at most once a second, and the newest', async () => {
    const server = await serve()
    const reporter = connect(server.address)
    reporter.report(reportOf(Phase.DOWNLOADING))
    for (let done = 1; done <= 100; done += 1) reporter.progress(done, 100)
    const seen = () =>
      server.received.flatMap(({ request }) =>
        request.message.case === 'progress' ? [request.message.value.doneBytes] : [],
      )
    await vi.waitFor(() => expect(seen()).toEqual([1n, 100n]), 90_000)
  })

  it('beats while nothing changes', async () => {
    const server = await serve()
    const reporter = connect(server.address, authority, 30)
    reporter.report(reportOf(Phase.IDLE))
    const beats = () => server.received.filter(({ request }) => request.message.case === 'heartbeat').length
    await vi.waitFor(() => expect(beats()).toBeGreaterThan(3), 90_000)
    expect(phases(server)).toEqual([Phase.IDLE])
  })

  it('tells nothing to a host that poses as the controller', async () => {
    const impostor = await serve({ as: 'host' })
    const reporter = connect(impostor.address)
    reporter.report(reportOf(Phase.IDLE))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(impostor.received).toEqual([])
  })

  it('is not heard with a certificate of another authority', async () => {
    const server = await serve()
    const stranger = openTestAuthority()
    try {
      const reporter = connect(server.address, stranger)
      reporter.report(reportOf(Phase.IDLE))
      await new Promise((resolve) => setTimeout(resolve, 500))
      expect(server.received).toEqual([])
    } finally {
      stranger.close()
    }
  })
})
