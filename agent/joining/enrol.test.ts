import { randomBytes, X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startJoinServer } from '../../controller/grpc/join-server.ts'
import { serviceError } from '../../controller/grpc/status.ts'
import {
  AdmittedSchema,
  EnrolResponseSchema,
  JoinService,
  WaitingSchema,
} from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { Admitted, EnrolRequest } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { authoritySha256Of, formatJoinToken } from '../../proto/join-token.ts'
import { openAuthority } from '../../trust/certificate-authority.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { INIT_DEFAULTS, initTrust } from '../../trust/init.ts'
import { loadConfig } from '../config.ts'
import { natsJwtFor } from '../testing/nats-jwt.ts'
import { enrol } from './enrol.ts'

let dir: string
let asked: EnrolRequest[]
let said: string[]
let secret: Buffer
let closes: (() => Promise<void> | void)[]
/** Null: it waits for a person. */
let answer: Partial<Admitted> | null
let stop: AbortController

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-join-'))
  await initTrust({ ...INIT_DEFAULTS, dir: join(dir, 'trust') })
  asked = []
  said = []
  closes = []
  answer = {}
  secret = randomBytes(32)
  stop = new AbortController()
})
afterEach(async () => {
  for (const close of closes) await close()
  await rm(dir, { recursive: true, force: true })
})

const pem = (name: string): Promise<string> => readFile(join(dir, 'trust/controller', name), 'utf8')
const own = async (name: string): Promise<KeyAndCertificate> => ({
  keyPem: await pem(`${name}.key`),
  certificatePem: await pem(`${name}.pem`),
})
const identityDir = (): string => join(dir, 'agent/identity')

async function serve(shown?: KeyAndCertificate): Promise<string> {
  const [ca, server] = [await own('ca'), await own('server')]
  const authority = await openAuthority(ca)
  const handlers: Handlers<typeof JoinService> = {
    comeBack: (_call, done) => done(serviceError(12, 'not here')),
    enrol(call, done) {
      asked.push(call.request)
      const { certificateRequestPem, natsUserPublicKey } = call.request
      const given = answer
      if (given === null) {
        const waiting = create(WaitingSchema, { retryAfterMs: 1_000n })
        return done(null, create(EnrolResponseSchema, { outcome: { case: 'waiting', value: waiting } }))
      }
      authority.issueHost(certificateRequestPem, 60_000).then(
        async ({ hostId, certificatePem }) => {
          const value = create(AdmittedSchema, {
            certificatePem,
            certificateAuthorityPem: ca.certificatePem,
            trustBundles: [Buffer.from((await pem('trust.jsonl')).trim())],
            natsUserJwt: natsJwtFor(natsUserPublicKey),
            hostName: 'till-1',
            controllerAddress: 'fleet.example:8443',
            natsUrl: 'nats://fleet.example:4222',
            ...given,
          })
          done(null, create(EnrolResponseSchema, { hostId, outcome: { case: 'admitted', value } }))
        },
        () => done(serviceError(3, 'no request')),
      )
    },
  }
  const tls = shown ?? server
  const started = await startJoinServer({
    listen: '127.0.0.1:0',
    tls: () => ({ ...tls, certificatePem: tls.certificatePem + ca.certificatePem }),
    services: [{ service: JoinService, handlers }],
  })
  closes.push(() => started.close())
  return started.address
}

async function run(server: string, changes: { readonly waitMs?: number } = {}): Promise<void> {
  const tokenFile = join(dir, 'token')
  const authoritySha256 = authoritySha256Of(new X509Certificate(await pem('ca.pem')))
  const text = formatJoinToken({ id: 'abcdefgh27', secret, authoritySha256 })
  await writeFile(tokenFile, `${text}\n`, { mode: 0o600 })
  await writeConfig()
  const say = (line: string): void => void said.push(line)
  const options = { tokenFile, server, name: 'till-1', configPath: join(dir, 'agent.yaml') }
  await enrol({ ...options, waitMs: 60_000, say, signal: stop.signal, ...changes })
}

async function writeConfig(): Promise<void> {
  const settings = {
    stateDir: join(dir, 'agent'),
    controller: { address: 'fleet.example:8443' },
    nats: { url: 'nats://fleet.example:4222' },
    host: { driver: 'container-snap' },
    // Also where the tests run on a machine with a TPM.
    identity: { seal: 'never' },
  }
  await writeFile(join(dir, 'agent.yaml'), JSON.stringify(settings))
}

describe('a host that enrols with a token', () => {
  it('waits for a person with the same key and request, and then holds what an agent starts with', async () => {
    answer = null
    const running = run(await serve())
    await expect.poll(() => asked.length, { timeout: 60_000 }).toBeGreaterThan(1)
    expect(said.join('\n')).toMatch(/waiting for a person: bootfleet approve request\/[a-z2-7-]{19}$/)
    expect(await readdir(identityDir())).not.toContain('ca.pem')
    answer = {}
    await running
    const key = (request?: EnrolRequest): unknown => request?.natsUserPublicKey
    expect(key(asked.at(-1))).toBe(key(asked[0]))
    expect((await readdir(identityDir())).toSorted()).toEqual([
      'ca.pem',
      'certificate.pem',
      'key.pem',
      'nats.jwt',
      'nats.key',
      'nats.pub',
      'request.csr',
      'trust.jsonl',
    ])
    expect(await readFile(join(identityDir(), 'trust.jsonl'))).toEqual(Buffer.from(await pem('trust.jsonl')))
    expect((await loadConfig(join(dir, 'agent.yaml'))).controller.address).toBe('fleet.example:8443')
  })

  it('has nothing in place when the answer does not fit, and takes the request up again', async () => {
    const server = await serve()
    const foreign = join(dir, 'foreign')
    await initTrust({ ...INIT_DEFAULTS, dir: foreign })
    const bundle = await readFile(join(foreign, 'controller/trust.jsonl'), 'utf8')
    answer = { trustBundles: [Buffer.from(bundle.trim())] }
    await expect(run(server)).rejects.toThrow('do not name the CA of the token; nothing was written')
    answer = { natsUserJwt: 'none' }
    await expect(run(server)).rejects.toThrow('JWT')
    expect(await readdir(identityDir())).not.toContain('ca.pem')
    answer = {}
    await run(server)
    expect(await readdir(identityDir())).toContain('certificate.pem')
  })

  it('gives up after the time it was told, and says how to go on', async () => {
    answer = null
    await expect(run(await serve(), { waitMs: 100 })).rejects.toThrow(
      'nobody has approved it yet; run it again',
    )
  })

  it('reads no token that others may read', async () => {
    const tokenFile = join(dir, 'open')
    await writeFile(tokenFile, 'bft1.x')
    await chmod(tokenFile, 0o644)
    const options = { tokenFile, server: '127.0.0.1:1', name: null, configPath: join(dir, 'none') }
    const say = (): void => undefined
    await expect(enrol({ ...options, waitMs: 1, say, signal: stop.signal })).rejects.toThrow(
      'others may read it',
    )
  })
})

describe('whoever stands in between', () => {
  it('with a CA of his own gets no secret', async () => {
    const foreign = join(dir, 'foreign')
    await initTrust({ ...INIT_DEFAULTS, dir: foreign })
    const [key, cert] = await Promise.all(
      ['server.key', 'server.pem'].map((name) => readFile(join(foreign, 'controller', name))),
    )
    let heard = 0
    // With the true CA, which is no secret, behind his own certificate.
    const chain = Buffer.concat([cert ?? Buffer.alloc(0), Buffer.from(await pem('ca.pem'))])
    const listener = createServer({ key, cert: chain, ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('data', (bytes) => (heard += bytes.length))
      socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    closes.push(() => new Promise<void>((resolve) => listener.close(() => resolve())))
    const address = listener.address()
    const port = typeof address === 'object' ? address?.port : 0
    await expect(run(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'EnrolRefused' })
    expect([heard, asked]).toEqual([0, []])
  })

  it('with a certificate of the same CA that is not the controller’s gets no secret', async () => {
    const authority = await openAuthority(await own('ca'))
    const operator = await authority.issueOperator('mallory')
    await expect(run(await serve(operator), { waitMs: 3_000 })).rejects.toMatchObject({
      code: 'ControllerAway',
    })
    expect(asked).toEqual([])
  })
})
