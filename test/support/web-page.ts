import 'reflect-metadata'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { build } from 'esbuild'
import pino from 'pino'
import { openLoopback } from '../../cli/web/loopback.ts'
import { openUpstream } from '../../cli/web/upstream.ts'
import type { PageFiles, WebBackend } from '../../controller/web/backend.ts'
import { WebRefusal } from '../../controller/web/backend.ts'
import type { Place } from '../../controller/web/page/place.ts'
import type { EventLine, Reading } from '../../controller/web/page/wire.ts'
import type { Pace } from '../../controller/web/told.ts'
import { startWebServer } from '../../controller/web/web-server.ts'
import type { WebServer } from '../../controller/web/web-server.ts'
import { worstFirst } from '../../proto/picture/host-order.ts'
import { withoutAsked } from '../../proto/picture/told-orders.ts'
import { StatusSchema, TraceResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { events } from './dashboard-events.ts'
import { hostsOfEdge, whyDb1, whyTill17 } from './dashboard-hosts.ts'
import { nowMs } from './dashboard.ts'

/** The page's server over real TLS, in front of a controller that says what a test puts in its place. */
export type WebWorld = {
  readonly server: WebServer
  readonly authority: CertificateAuthority
  readonly operator: KeyAndCertificate
  /** What is read of a place; throws to refuse. */
  onRead: (place: Place) => Reading
  /** Of whom this throws is refused. */
  onCaller: () => string
  /** How many streams listen now. */
  readonly listening: () => number
  change(): void
  /** A server on the same port, after `server.close`. */
  restart(): Promise<void>
  close(): Promise<void>
}

export const noPage: PageFiles = { html: '<p>page</p>', script: '0', style: 'p{}', icon: '<svg/>' }

export async function startWebWorld(
  options: { readonly page?: PageFiles; readonly pace?: Pace } = {},
): Promise<WebWorld> {
  const authority = await openAuthority(await createAuthority())
  const tls = await authority.issueServer({ dns: [], ip: [] })
  const listeners = new Set<() => void>()
  const backend: WebBackend = {
    operatorOf: () => world.onCaller(),
    read: (_certificate, place) => world.onRead(place),
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const start = (listen: string): Promise<WebServer> =>
    startWebServer({
      listen,
      tls: () => ({ ...tls, clientAuthoritiesPem: authority.certificatePem }),
      backend,
      page: options.page ?? noPage,
      logger: pino({ level: 'silent' }),
      ...(options.pace === undefined ? {} : { pace: options.pace }),
    })
  let server = await start('127.0.0.1:0')
  const world = {
    get server() {
      return server
    },
    authority,
    operator: await authority.issueOperator('kim'),
    onRead: () => {
      throw new WebRefusal(503, 'another controller leads')
    },
    onCaller: () => 'kim',
    listening: () => listeners.size,
    change() {
      for (const listener of listeners) listener()
    },
    async restart() {
      server = await start(server.address)
    },
    close: () => server.close(),
  } as WebWorld
  return world
}

/** What `bootfleet web` does, for kim. */
export async function openWebFor({ server, authority, operator }: WebWorld): Promise<{
  readonly url: string
  close(): Promise<void>
}> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-web-'))
  const path = (name: string): string => join(dir, name)
  const context = { address: '', ca: path('ca.pem'), certificate: path('kim.pem'), key: path('kim.key') }
  await writeFile(context.ca, authority.certificatePem)
  await writeFile(context.certificate, operator.certificatePem)
  await writeFile(context.key, operator.keyPem)
  const upstream = openUpstream(context, { host: '127.0.0.1', port: server.port })
  const loopback = await openLoopback(upstream, 0)
  return {
    url: loopback.url,
    async close() {
      await loopback.close()
      upstream.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** As build.mjs does it. */
export async function builtPage(): Promise<PageFiles> {
  const folder = join(import.meta.dirname, '../../controller/web/page')
  const bundled = await build({
    entryPoints: [join(folder, 'main.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    minify: true,
    logLevel: 'warning',
  })
  const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  return {
    html: await text('page.html'),
    script: bundled.outputFiles[0]?.text ?? '',
    style: await text('page.css'),
    icon: await text('icon.svg'),
  }
}

/** Any place of the fleets of the dashboard's tests. */
export function readingOf(status: Status, place: Place): Reading {
  const fleet = place.kind === 'fleet' ? place.fleet : 'edge'
  const hosts = worstFirst(hostsOfEdge())
  const seen = place.kind === 'wall' ? status.fleets : status.fleets.filter(({ name }) => name === fleet)
  return {
    operator: 'kim',
    status: create(StatusSchema, { ...status, fleets: seen }),
    hosts: hostsShown(place, hosts),
    hostsTotal: place.kind === 'fleet' ? hosts.length : 1,
    ...storyOf(place),
    events: withoutAsked(events).toReversed() as readonly EventLine[],
  }
}

function storyOf(place: Place): Pick<Reading, 'hops' | 'why'> {
  if (place.kind !== 'host') return { why: null, hops: [] }
  return place.host === 'db-1' ? { why: whyDb1, hops: storyOfDb1 } : { why: whyTill17, hops: storyOfTill17 }
}

function hostsShown(place: Place, hosts: Reading['hosts']): Reading['hosts'] {
  switch (place.kind) {
    case 'wall':
      return []
    case 'fleet':
      return place.fleet === 'edge' ? hosts : []
    case 'host':
      return hosts.filter(({ name }) => name === place.host)
  }
}

const storyOfDb1 = create(TraceResponseSchema, {
  hops: [{ kind: 'Boot', name: 'b0072d', message: 'runs quay.example/vendor/os:42' }],
}).hops

const storyOfTill17 = create(TraceResponseSchema, {
  hops: [
    ['Commit', '3f2a91c0ffee', 'Run 42.1.0 everywhere, signed by kim'],
    [
      'Digest',
      `registry.example/os/edge@sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`,
      '42.1.0, signed by release',
    ],
    ['Rollout', 'edge-7', 'generation 7 of fleet edge'],
    ['Wave', 'tenth', '2 of 12 failed'],
    ['Boot', 'b0071d', 'health check unit:sshd.service failed twice; fell back to 42.0.9'],
  ].map(([kind = '', name = '', message = ''], index) => ({
    kind,
    name,
    message,
    atMs: BigInt(nowMs - 600_000 + index * 60_000),
    actor: kind === 'Commit' ? 'kim' : '',
  })),
}).hops
