import 'reflect-metadata'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { connect as connectHttp2 } from 'node:http2'
import type { IncomingHttpHeaders } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { create, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { RenewCertificateRequestSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { RenewCertificateResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { identityUri } from '../../proto/identity.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { ended, heartbeat, newHost, startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'

const sockets = new Set<TLSSocket>()

describe('a certificate is renewed', () => {
  let world: GrpcWorld
  beforeAll(async () => {
    world = await startGrpcWorld()
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await world.close()
  })
  beforeEach(() => world.reset())

  function renew(as: KeyAndCertificate, certificateRequestPem: string): Promise<RenewCertificateResponse> {
    const client = world.agentClient(as)
    const request = create(RenewCertificateRequestSchema, { certificateRequestPem })
    return new Promise((resolve, reject) => {
      client.renewCertificate(request, { deadline: Date.now() + 60_000 }, (error, response) =>
        response === undefined ? reject(error as ServiceError) : resolve(response),
      )
    })
  }

  const requestOf = ({ keyPem }: KeyAndCertificate): string =>
    createCertificateRequest(createPrivateKey(keyPem), 'anything')
  const uriOf = (pem: string): string | undefined => new X509Certificate(pem).subjectAltName
  const uri = (hostId: string): string => `URI:${identityUri({ kind: 'host', hostId })}`

  it('for the key it was for', async () => {
    const { certificatePem } = await renew(world.host, requestOf(world.host))
    const certificate = new X509Certificate(certificatePem)
    expect(certificate.checkPrivateKey(createPrivateKey(world.host.keyPem))).toBe(true)
    expect(uriOf(certificatePem)).toBe(uri(world.host.hostId))
  })

  it('for a new key, and the host stays who it is', async () => {
    const other = await newHost(world.authority, 60_000)
    const { certificatePem } = await renew(world.host, requestOf(other))
    expect(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(other.keyPem))).toBe(true)
    expect(uriOf(certificatePem)).toBe(uri(world.host.hostId))
  })

  it('under the own identity also when the request names another one', async () => {
    const victim = await newHost(world.authority, 60_000)
    world.enrolled.add(victim.hostId)
    const { certificatePem } = await renew(world.host, await requestNaming(victim.hostId))
    expect(uriOf(certificatePem)).toBe(uri(world.host.hostId))
  })

  it('for no host that is not enrolled, and no operator', async () => {
    const stranger = await newHost(world.authority, 60_000)
    await expect(renew(stranger, requestOf(stranger))).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    })
    await expect(renew(world.operator, requestOf(world.host))).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    })
  })

  it('never for one that has expired, also over a TLS session from before', async () => {
    const host = await newHost(world.authority, 3_000)
    world.enrolled.add(host.hostId)
    const first = await connected(world, host)
    const session = await ticketOf(first)
    expect((await callOver(first, requestOf(host)))['grpc-status']).toBe('0')
    const endsAtMs = Date.parse(new X509Certificate(host.certificatePem).validTo)
    await expect.poll(() => Date.now() > endsAtMs, { timeout: 60_000 }).toBe(true)

    const resumed = await connected(world, host, { session })
    expect(resumed.isSessionReused()).toBe(true)
    const refused = await callOver(resumed, requestOf(host))
    expect(refused['grpc-status']).toBe(String(status.UNAUTHENTICATED))
    await expect(connected(world, host).then(firstWords)).rejects.toThrow(
      /certificate expired|ECONNRESET|closed/i,
    )
  })

  it('also for a host that was installed weeks ago, whose first certificate is good for nothing else', async () => {
    const late = await newHost(world.authority, 30 * 24 * 60 * 60 * 1000)
    world.enrolled.add(late.hostId)
    expect(await ended(world.attach(late))).toMatchObject({ code: status.PERMISSION_DENIED })
    const { certificatePem } = await renew(late, requestOf(late))
    const stream = world.attach({ ...late, certificatePem })
    const acknowledged = new Promise((resolve) => stream.once('data', resolve))
    stream.write(heartbeat(1))
    expect(await acknowledged).toMatchObject({ acknowledgedThrough: 1n })
    stream.on('error', () => undefined)
  })

  it('for no host that was revoked, whose open stream ends though nothing comes on it', async () => {
    const stream = world.attach(world.host)
    const acknowledged = new Promise((resolve) => stream.once('data', resolve))
    stream.write(heartbeat(1))
    await acknowledged
    world.revoked.add(world.host.hostId)
    expect(await ended(stream)).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringContaining('is revoked; a person must enrol it again') as string,
    })
    expect(world.attachments).toEqual([{ detached: true }])
    const refused = { code: status.PERMISSION_DENIED }
    await expect(renew(world.host, requestOf(world.host))).rejects.toMatchObject(refused)
    expect(await ended(world.attach(world.host))).toMatchObject(refused)
  })

  it('by TLS 1.3 only, before and after the certificates of the server were replaced', async () => {
    const old = { maxVersion: 'TLSv1.2' as const }
    await expect(connected(world, world.host, old)).rejects.toThrow(/version|alert/i)
    world.serveWith(await world.authority.issueServer({ dns: [], ip: [] }))
    await expect(connected(world, world.host, old)).rejects.toThrow(/version|alert/i)
    expect((await connected(world, world.host)).getProtocol()).toBe('TLSv1.3')
  })

  it('by a new CA, and the one before is believed until it is taken away', async () => {
    const next = await openAuthority(await createAuthority())
    const moved = await newHost(next, 60_000)
    world.enrolled.add(moved.hostId)
    await expect(renew(moved, requestOf(moved))).rejects.toMatchObject({ code: status.UNAVAILABLE })
    const both = `${world.authority.certificatePem}${next.certificatePem}`
    world.serveWith({ clientAuthoritiesPem: both })
    await renew(moved, requestOf(moved))
    world.reset()
    world.enrolled.add(moved.hostId)
    await renew(world.host, requestOf(world.host))
    world.serveWith({ clientAuthoritiesPem: next.certificatePem })
    await expect(renew(await newHost(world.authority, 60_000), requestOf(moved))).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    })
    world.serveWith({ clientAuthoritiesPem: world.authority.certificatePem })
  })
})

async function requestNaming(hostId: string): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { SubjectAlternativeNameExtension } = await import('@peculiar/x509')
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${hostId}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'url', value: identityUri({ kind: 'host', hostId }) }]),
    ],
  })
  return request.toString('pem')
}

/** A TLS connection as a client of our own making may open it. */
function connected(
  { address, authority }: GrpcWorld,
  { keyPem, certificatePem }: KeyAndCertificate,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const [host, port] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port: Number(port),
      servername: 'localhost',
      ca: authority.certificatePem,
      key: keyPem,
      cert: certificatePem,
      ALPNProtocols: ['h2'],
      ...options,
    })
    sockets.add(socket)
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** In TLS 1.3 a client learns that it is turned away only when it reads. */
function firstWords(socket: TLSSocket): Promise<never> {
  return new Promise((_resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    socket.resume()
  })
}

function ticketOf(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve) => socket.once('session', resolve))
}

/** Answers with the trailers of one renewal. */
function callOver(socket: TLSSocket, certificateRequestPem: string): Promise<IncomingHttpHeaders> {
  const session = connectHttp2('https://localhost', { createConnection: () => socket })
  const path = '/bootfleet.v1.AgentService/RenewCertificate'
  const message = toBinary(
    RenewCertificateRequestSchema,
    create(RenewCertificateRequestSchema, { certificateRequestPem }),
  )
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(message.length, 1)
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
  return new Promise((resolve, reject) => {
    const stream = session.request(headers)
    stream.on('error', reject)
    stream.on('response', (head) => head['grpc-status'] !== undefined && resolve(head))
    stream.on('trailers', (trailers) => resolve(trailers))
    stream.resume()
    stream.end(Buffer.concat([frame, message]))
  }).finally(() => session.close()) as Promise<IncomingHttpHeaders>
}
