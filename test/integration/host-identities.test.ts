import { X509Certificate, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import type { ServiceError } from '@grpc/grpc-js'
import { createUser } from '@nats-io/nkeys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import {
  EnrolHostRequestSchema,
  ListHostsRequestSchema,
  RevokeHostRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  EnrolHostResponse,
  HostStatus,
  ListHostsResponse,
  RevokeHostResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../support/controller.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
const waiting = { timeout: 90_000, interval: 200 }
let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet()
  await statusOf(world.controller)
})
afterEach(() => world.stop())

const soon = (): { deadline: number } => ({ deadline: Date.now() + 60_000 })
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const hosts = async (): Promise<readonly HostStatus[]> => {
  const list = create(ListHostsRequestSchema)
  const { operator } = world.controller
  return (await call<ListHostsResponse>((done) => operator.listHosts(list, soon(), done))).hosts
}

function enrol(
  name: string,
  key = newKey(),
  natsUserPublicKey = createUser().getPublicKey(),
): Promise<EnrolHostResponse> {
  const certificateRequestPem = createCertificateRequest(key, name)
  const wanted = { name, certificateRequestPem, labels: {}, natsUserPublicKey }
  const request = create(EnrolHostRequestSchema, wanted)
  return call<EnrolHostResponse>((done) => world.controller.operator.enrolHost(request, soon(), done))
}

function bootfleet(...words: readonly string[]): void {
  execFileSync(PROGRAM, ['trust', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
}

function revoke(host: string): Promise<RevokeHostResponse> {
  const request = create(RevokeHostRequestSchema, { host, reason: 'stolen' })
  return call<RevokeHostResponse>((done) => world.controller.operator.revokeHost(request, soon(), done))
}

test('of many that ask for one name at once, each with a key of its own, one gets it', async () => {
  const asked = await Promise.allSettled(Array.from({ length: 5 }, () => enrol('till-1')))
  const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as ServiceError] : []))
  expect(refused.map(({ code }) => code)).toEqual([6, 6, 6, 6])
  expect((await hosts()).map(({ name }) => name)).toEqual(['till-1'])
})

test('a revoked host is cut off, stays so over a restart, and only a person lets it in', async () => {
  const digest = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  await world.startHosts(1, digest)
  await expect.poll(async () => (await hosts())[0]?.connected, waiting).toBe(true)

  const { message, changed } = await revoke('host-000')
  expect([message, changed]).toEqual([expect.stringContaining('only a person lets it in again'), true])
  await expect.poll(async () => (await hosts())[0]?.connected, waiting).toBe(false)
  const revoked = { conditions: ['Unreachable', 'Revoked', 'NoFleet'], message: 'revoked by admin: stolen' }
  expect(await hosts()).toMatchObject([revoked])
  expect(await revoke('host-000')).toMatchObject({ changed: false })

  await world.controller.stop()
  await world.controller.start()
  await expect.poll(hosts, waiting).toMatchObject([revoked])

  const identity = (file: string): Promise<string> =>
    readFile(join(world.dir, 'host-000/identity', file), 'utf8')
  await enrol('host-000', createPrivateKey(await identity('key.pem')), (await identity('nats.pub')).trim())
  await expect.poll(async () => (await hosts())[0]?.conditions, waiting).not.toContain('Revoked')
  await expect.poll(async () => (await hosts())[0]?.connected, waiting).toBe(true)
})

test('a CA is replaced under hosts that run: they renew, believe the new one, and the old one ends', async () => {
  await world.controller.stop()
  const trust = (...parts: readonly string[]): string => join(world.dir, 'trust', ...parts)
  const config = join(world.dir, 'controller.yaml')
  const settings = JSON.parse(await readFile(config, 'utf8')) as { pki: object }
  const pki = { ...settings.pki, hostCertificateLife: '20s' }
  await writeFile(config, JSON.stringify({ ...settings, pki }))
  await world.controller.start()
  const digest = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  await world.startHosts(1, digest)
  const certificate = async (): Promise<X509Certificate> =>
    new X509Certificate(await readFile(join(world.dir, 'host-000/identity/certificate.pem')))
  const first = await certificate()
  await expect.poll(async () => (await certificate()).serialNumber, waiting).not.toBe(first.serialNumber)

  bootfleet('ca', trust('next.key'))
  rotate('--add-ca', trust('next.pem'))
  const held = async (): Promise<string> => readFile(join(world.dir, 'host-000/trust.jsonl'), 'utf8')
  await expect.poll(async () => (await held()).trim().split('\n').length, waiting).toBe(2)

  bootfleet('server', trust('next-server.key'), '--ca', trust('next.key'))
  for (const end of ['key', 'pem']) {
    await copyFile(trust(`next.${end}`), trust(`controller/ca.${end}`))
    await copyFile(trust(`next-server.${end}`), trust(`controller/server.${end}`))
  }
  await expect.poll(() => world.controller.log(), waiting).toContain('certificates read anew')
  const newKeyOfCa = new X509Certificate(await readFile(trust('next.pem'))).publicKey
  await expect.poll(async () => (await certificate()).verify(newKeyOfCa), waiting).toBe(true)

  function rotate(...change: readonly string[]): void {
    const signers = ['--root-key', trust('root/root-1.key'), trust('root/root-3.key')]
    bootfleet('rotate', trust('controller/trust.jsonl'), ...change, ...signers)
  }
})
