import { X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startJoinServer } from '../../controller/grpc/join-server.ts'
import { readReturnRequest } from '../../controller/pki/return-request.ts'
import { ComeBackResponseSchema, JoinService } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { ComeBackResponse } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { chainText, readChain } from '../../trust/chain-file.ts'
import { INIT_DEFAULTS, initTrust } from '../../trust/init.ts'
import { readPrivateKeyFile } from '../../trust/keys.ts'
import { nextBundle } from '../../trust/rotate.ts'
import { loadOrMakeKey, openIdentity } from '../identity/identity.ts'
import type { Identity } from '../identity/identity.ts'
import { openNatsUser } from '../identity/nats-user.ts'
import { openTrust } from '../identity/trust.ts'
import type { HostTrust } from '../identity/trust.ts'
import { natsJwtFor } from '../testing/nats-jwt.ts'
import { comeBack } from './come-back.ts'

const log = pino({ level: 'silent' })
const stop = new AbortController()
let dir: string
let identity: Identity
let trust: HostTrust
let next: KeyAndCertificate
let nextAuthority: CertificateAuthority
let closes: (() => Promise<unknown>)[]

/** A host of a deployment, whose CA is then another. */
beforeEach(async () => {
  closes = []
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-come-back-'))
  await initTrust({ ...INIT_DEFAULTS, dir: join(dir, 'trust') })
  const identityDir = join(dir, 'identity')
  await mkdir(identityDir)
  await openNatsUser(identityDir)
  await loadOrMakeKey(identityDir)
  const own = await openAuthority({ keyPem: await made('ca.key'), certificatePem: await made('ca.pem') })
  const request = await readFile(join(identityDir, 'request.csr'), 'utf8')
  const { certificatePem } = await own.issueHost(request, 1)
  for (const [name, text] of [
    ['ca.pem', own.certificatePem],
    ['trust.jsonl', await made('trust.jsonl')],
    ['nats.jwt', 'the.first.one'],
    ['certificate.pem', certificatePem],
  ] as const)
    await writeFile(join(identityDir, name), text)
  identity = await openIdentity({ directory: identityDir, log, signal: stop.signal })
  trust = await openTrust({ identityDir, path: join(dir, 'trust.jsonl'), log })
  next = await createAuthority()
  nextAuthority = await openAuthority(next)
})
afterEach(async () => {
  for (const close of closes) await close()
  await rm(dir, { recursive: true, force: true })
})

const made = (name: string): Promise<string> => readFile(join(dir, 'trust/controller', name), 'utf8')

/** The chain with a bundle that names the next CA instead of the first. */
async function successor(folder = join(dir, 'trust')): Promise<readonly Uint8Array[]> {
  const chain = await readChain(join(folder, 'controller/trust.jsonl'))
  const signers = ['root-1', 'root-2'].map((name) => readPrivateKeyFile(join(folder, `root/${name}.key`)))
  const bundle = nextBundle(chain.newest, {
    add: [],
    remove: [],
    replace: [],
    thresholds: {},
    addAuthorities: [next.certificatePem],
    removeAuthorities: chain.newest.content.certificateAuthorities,
    lifeMs: 60 * 60_000,
    signers: await Promise.all(signers),
    nowMs: Date.now(),
  })
  return [...chain.envelopes, bundle.envelope]
}

type Given = Partial<Pick<ComeBackResponse, 'certificatePem' | 'natsUserJwt'>>

/**
 * A server of the next CA. `issuer`: by whom what it gives is signed; null: it gives no certificate. `instead`: of
 * what it would give.
 */
async function serve(
  bundles: readonly Uint8Array[],
  issuer: CertificateAuthority | null,
  instead: Given = {},
): Promise<string> {
  const server = await nextAuthority.issueServer({ dns: [], ip: [] })
  const handlers: Handlers<typeof JoinService> = {
    enrol: (_call, done) => done(new Error('not here')),
    comeBack(call, done) {
      const answer = async () => {
        const { certificateRequestPem } = call.request
        const { natsUserPublicKey } = await readReturnRequest(certificateRequestPem)
        const issued = await issuer?.issueHost(certificateRequestPem, 60_000)
        return create(ComeBackResponseSchema, {
          trustBundles: [...bundles],
          certificatePem: issued?.certificatePem ?? '',
          natsUserJwt: issued === undefined ? '' : natsJwtFor(natsUserPublicKey),
          ...instead,
        })
      }
      answer().then((response) => done(null, response), done)
    },
  }
  const started = await startJoinServer({
    listen: '127.0.0.1:0',
    tls: () => ({ ...server, certificatePem: server.certificatePem + next.certificatePem }),
    services: [{ service: JoinService, handlers }],
  })
  closes.push(() => started.close())
  return started.address
}

const offer = async (envelope: Uint8Array): Promise<void> => void (await trust.offer(envelope))
const ask = (address: string): Promise<string | null> =>
  comeBack({ address, identity, trust, offer, signal: stop.signal })

it('hears of another CA by its own root keys, and takes a certificate of it for the key that it has', async () => {
  const pem = await ask(await serve(await successor(), nextAuthority))
  const certificate = new X509Certificate(pem ?? '')
  expect(certificate.verify(new X509Certificate(next.certificatePem).publicKey)).toBe(true)
  await identity.take(pem ?? '')
  expect([trust.number(), trust.authorities()?.trim()]).toEqual([2, next.certificatePem.trim()])
  expect(identity.nats.jwt()).toBe(natsJwtFor(identity.nats.publicKey))
})

it('hears whom to believe also while nobody lets it come back', async () => {
  expect(await ask(await serve(await successor(), null))).toBeNull()
  expect([trust.number(), identity.nats.jwt()]).toEqual([2, 'the.first.one'])
})

it('takes nothing from a server with a CA and bundles of its own', async () => {
  const foreign = join(dir, 'foreign')
  await initTrust({ ...INIT_DEFAULTS, dir: foreign })
  const address = await serve(await successor(foreign), nextAuthority)
  await expect(ask(address)).rejects.toMatchObject({ code: 'IdentityInvalid' })
  expect([trust.number(), identity.nats.jwt()]).toEqual([1, 'the.first.one'])
  expect(chainText((await readChain(join(dir, 'trust.jsonl'))).envelopes)).toBe(await made('trust.jsonl'))
})

it('keeps the JWT that it has where a certificate of its CA is for another, or no more in force', async () => {
  const server = await nextAuthority.issueServer({ dns: [], ip: [] })
  const other = join(dir, 'other')
  await loadOrMakeKey(other)
  const request = (folder: string): Promise<string> => readFile(join(folder, 'request.csr'), 'utf8')
  const { certificatePem: ofOther } = await nextAuthority.issueHost(await request(other), 60_000)
  const { certificatePem: over } = await nextAuthority.issueHost(await request(join(dir, 'identity')), 1)
  while (Date.now() < Date.parse(new X509Certificate(over).validTo)) await delay(50)
  for (const certificatePem of [server.certificatePem, ofOther, over]) {
    const address = await serve(await successor(), nextAuthority, { certificatePem })
    await expect(ask(address)).rejects.toMatchObject({ code: 'IdentityInvalid' })
    expect(identity.nats.jwt()).toBe('the.first.one')
  }
})

it('keeps the JWT that it has where the other one is none, or for another key', async () => {
  for (const natsUserJwt of ['', 'a.b.c', natsJwtFor(''), natsJwtFor(`U${'A'.repeat(55)}`)]) {
    const address = await serve(await successor(), nextAuthority, { natsUserJwt })
    await expect(ask(address)).rejects.toThrow('taking the JWT of the NATS user')
    expect(identity.nats.jwt()).toBe('the.first.one')
  }
})

it('looks at no bundle behind one that it does not take, and at no more than some hundred at once', async () => {
  const offered: Uint8Array[] = []
  const counting = async (envelope: Uint8Array): Promise<void> => {
    offered.push(envelope)
    await offer(envelope)
  }
  const asking = async (address: string): Promise<unknown> =>
    comeBack({ address, identity, trust, offer: counting, signal: stop.signal })
  const empty = Array.from({ length: 1_000 }, () => new Uint8Array())
  expect(await asking(await serve([...(await successor()), ...empty], null))).toBeNull()
  expect([offered.length, trust.number()]).toEqual([2, 2])
  let number = 1
  const credulous = { ...trust, number: () => number }
  const take = async (): Promise<void> => void (number += 1)
  const address = await serve(empty, null)
  await comeBack({ address, identity, trust: credulous, offer: take, signal: stop.signal })
  expect(number).toBe(257)
})

it('says that nobody answers, so that it is tried again', async () => {
  const address = await serve([], null)
  await closes.pop()?.()
  await expect(ask(address)).rejects.toMatchObject({ code: 'ControllerAway' })
})
