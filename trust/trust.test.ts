import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keyIdOf } from '../proto/envelope.ts'
import { identityOfCertificate } from '../proto/identity.ts'
import { keysOf } from '../proto/trust-chain.ts'
import { appendToChain, readChain } from './chain-file.ts'
import { INIT_DEFAULTS, initTrust, isComplete } from './init.ts'
import type { InitOptions } from './init.ts'
import { makeKey, privatePem, publicPem, readPrivateKeyFile } from './keys.ts'
import { nextBundle } from './rotate.ts'
import type { Rotation } from './rotate.ts'

const DAY_MS = 24 * 60 * 60 * 1000
let dir: string
const at = (...parts: readonly string[]): string => join(dir, 'trust', ...parts)
const init = (changes: Partial<InitOptions> = {}): Promise<void> =>
  initTrust({ ...INIT_DEFAULTS, dir: at(), ...changes })

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-trust-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('trust init', () => {
  it('splits what it makes by who keeps it, secrets for the owner only', async () => {
    await init({ dns: ['fleet.example'], ip: ['10.0.0.1'], operator: 'kim' })
    const entries = await readdir(at(), { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
    for (const file of files) {
      const { mode } = await stat(file)
      expect([file, mode & 0o777]).toEqual([file, file.endsWith('.key') ? 0o600 : 0o644])
    }
    expect(files.map((file) => file.slice(at().length + 1)).toSorted()).toEqual([
      'README.txt',
      ...['ca.key', 'ca.pem', 'director.key', 'director.pem'].map((name) => `controller/${name}`),
      ...['nats-controller.key', 'nats-hosts.key'].map((name) => `controller/${name}`),
      ...['operators.yaml', 'server.key', 'server.pem', 'trust.jsonl'].map((name) => `controller/${name}`),
      'hosts/ca.pem',
      'hosts/trust.jsonl',
      ...['accounts.conf', 'ca.pem', 'nats-server.conf'].map((name) => `nats/${name}`),
      ...['server.key', 'server.pem'].map((name) => `nats/${name}`),
      ...['ca.pem', 'operator.key', 'operator.pem'].map((name) => `operator/${name}`),
      'provisioner/nats-provisioner.key',
      'release/release.key',
      'release/release.pem',
      ...['nats-accounts.key', 'nats-operator.key'].map((name) => `root/${name}`),
      ...['1.key', '1.pem', '2.key', '2.pem', '3.key', '3.pem'].map((name) => `root/root-${name}`),
    ])
    expect(await readFile(at('README.txt'), 'utf8')).toContain('2 of 3 must sign')
    const server = new X509Certificate(await readFile(at('controller/server.pem')))
    for (const name of ['localhost', 'fleet.example']) expect(server.checkHost(name)).toBe(name)
    for (const address of ['127.0.0.1', '::1', '10.0.0.1']) expect(server.checkIP(address)).toBe(address)
    const operator = new X509Certificate(await readFile(at('operator/operator.pem')))
    expect(identityOfCertificate(operator.raw, Date.now())).toEqual({ kind: 'operator', name: 'kim' })
  })

  it('makes a first bundle that names the director, the release key and the CA', async () => {
    await init()
    const { newest } = await readChain(at('controller/trust.jsonl'))
    const director = createPublicKey(await readFile(at('controller/director.pem')))
    expect(keysOf(newest, 'director').map((key) => keyIdOf(key))).toEqual([keyIdOf(director)])
    expect(newest.content).toMatchObject({ number: 1, roles: { root: { threshold: 2 } } })
    expect(newest.content.certificateAuthorities).toEqual([await readFile(at('hosts/ca.pem'), 'utf8')])
    expect(newest.signedBy.has(keyIdOf(director))).toBe(true)
  })

  it('never overwrites', async () => {
    await init()
    const before = await readFile(at('root/root-1.key'))
    await expect(init()).rejects.toThrow(/never overwritten/)
    expect(await readFile(at('root/root-1.key'))).toEqual(before)
    expect(await isComplete(at())).toBe(true)
    expect(await isComplete(join(dir, 'none'))).toBe(false)
  })

  it('takes a CA and keys that openssl made', async () => {
    const file = (name: string): string => join(dir, name)
    const openssl = (...words: readonly string[]): void => {
      execFileSync('openssl', words, { stdio: 'ignore' })
    }
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file('ca.key'))
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      file('ca.key'),
      '-subj',
      '/CN=ours',
      '-days',
      '2',
      '-out',
      file('ca.pem'),
    )
    openssl('genpkey', '-algorithm', 'ed25519', '-out', file('director.key'))
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file('cosign.key'))
    openssl('pkey', '-in', file('cosign.key'), '-pubout', '-out', file('cosign.pem'))
    await init({
      importCa: { certificate: file('ca.pem'), key: file('ca.key') },
      importKeys: [
        { role: 'director', file: file('director.key') },
        { role: 'release', file: file('cosign.pem') },
      ],
    })
    const { newest } = await readChain(at('hosts/trust.jsonl'))
    expect(newest.content.certificateAuthorities).toEqual([await readFile(file('ca.pem'), 'utf8')])
    expect(keysOf(newest, 'release').map((key) => publicPem(key))).toEqual([
      await readFile(file('cosign.pem'), 'utf8'),
    ])
    await expect(stat(at('release/release.key'))).rejects.toThrow('ENOENT')
    expect(
      createPrivateKey(await readFile(at('controller/director.key'))).export({
        type: 'pkcs8',
        format: 'pem',
      }),
    ).toBe(await readFile(file('director.key'), 'utf8'))
    openssl('verify', '-CAfile', file('ca.pem'), at('controller/server.pem'))
  })

  it('takes no CA whose key is another, or that is none', async () => {
    await init()
    const key = at('controller/ca.key')
    const importCa = { certificate: at('controller/server.pem'), key: at('controller/server.key') }
    await expect(initTrust({ ...INIT_DEFAULTS, dir, importCa })).rejects.toThrow(/may not issue/)
    const other = { certificate: at('controller/ca.pem'), key: at('controller/server.key') }
    await expect(initTrust({ ...INIT_DEFAULTS, dir, importCa: other })).rejects.toThrow(/key is another/)
    const swapped = { certificate: key, key }
    await expect(initTrust({ ...INIT_DEFAULTS, dir, importCa: swapped })).rejects.toThrow(/cannot be read/)
  })

  it.each<[string, Partial<InitOptions>, RegExp]>([
    [
      'more signers than keys',
      { thresholds: { ...INIT_DEFAULTS.thresholds, root: 4 } },
      /role root has 3 keys/,
    ],
    ['two keys for plans', { thresholds: { ...INIT_DEFAULTS.thresholds, director: 2 } }, /role director/],
  ])('writes nothing when asked for %s', async (_what, changes, found) => {
    await expect(init(changes)).rejects.toThrow(found)
    await expect(stat(at())).rejects.toThrow('ENOENT')
  })

  it('writes nothing when an imported key is none, and shows nothing of it', async () => {
    await writeFile(
      join(dir, 'secret.key'),
      '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n',
    )
    const importKeys = [{ role: 'root', file: join(dir, 'secret.key') }] as const
    const failed = await init({ importKeys }).catch((error: unknown) => String(error))
    expect(failed).toContain('holds no Ed25519 or ECDSA P-256 key')
    expect(failed).not.toContain('hunter2')
  })
})

describe('trust rotate', () => {
  const unchanged = {
    add: [],
    remove: [],
    replace: [],
    thresholds: {},
    addAuthorities: [],
    removeAuthorities: [],
    lifeMs: DAY_MS,
    nowMs: Date.now(),
  } as const
  const signers = (...numbers: readonly number[]) =>
    Promise.all(numbers.map((number) => readPrivateKeyFile(at(`root/root-${number}.key`))))

  async function rotate(changes: Partial<Rotation>): Promise<number> {
    const path = at('controller/trust.jsonl')
    const chain = await readChain(path)
    const next = nextBundle(chain.newest, { ...unchanged, signers: await signers(1, 2), ...changes })
    await appendToChain(path, chain, next.envelope)
    return (await readChain(path)).newest.content.number
  }

  it('replaces, adds and removes keys, one bundle after the other', async () => {
    await init()
    const [fresh, further] = [makeKey('director'), makeKey('director')]
    expect(await rotate({ replace: [{ role: 'director', key: fresh.publicKey }] })).toBe(2)
    expect(
      await rotate({ add: [{ role: 'director', key: further.publicKey }], signers: await signers(2, 3) }),
    ).toBe(3)
    const remove = [{ role: 'director', id: keyIdOf(fresh.publicKey).slice(0, 8) }] as const
    expect(await rotate({ remove })).toBe(4)
    const { newest } = await readChain(at('controller/trust.jsonl'))
    expect(newest.content.roles.director.keyIds).toEqual([keyIdOf(further.publicKey)])
    expect(newest.content.roles.release).toMatchObject({ threshold: 1 })
  })

  it('only moves the end when nothing else is asked', async () => {
    await init()
    const nowMs = Date.now() + 10 * DAY_MS
    expect(await rotate({ nowMs, lifeMs: 3 * DAY_MS })).toBe(2)
    const { newest } = await readChain(at('controller/trust.jsonl'))
    expect(newest.content.expiresAt).toBe(new Date(nowMs + 3 * DAY_MS).toISOString())
  })

  it('replaces a root key with the signatures of both sides', async () => {
    await init()
    const fresh = makeKey('root')
    const third = keyIdOf(createPublicKey(await readFile(at('root/root-3.pem'))))
    const change = {
      remove: [{ role: 'root', id: third }],
      add: [{ role: 'root', key: fresh.publicKey }],
    } as const
    expect(await rotate(change)).toBe(2)
    await expect(rotate({ signers: await signers(1, 3) })).rejects.toThrow(/no root key of either bundle/)
    expect(await rotate({ signers: [...(await signers(1)), fresh.privateKey] })).toBe(3)
  })

  it('is refused with too few signatures, an unclear id, a private key of another or an unknown CA', async () => {
    await init()
    await expect(rotate({ signers: await signers(1) })).rejects.toThrow(
      /1 more of its own root keys must sign/,
    )
    await expect(rotate({ remove: [{ role: 'release', id: 'abc' }] })).rejects.toThrow(/no single key/)
    await expect(rotate({ signers: [makeKey('root').privateKey] })).rejects.toThrow(/no root key/)
    await expect(rotate({ removeAuthorities: ['x'] })).rejects.toThrow(/not in the bundle/)
    await expect(readPrivateKeyFile(at('root/root-1.pem'))).rejects.toThrow(/name the private one/)
    expect((await readChain(at('controller/trust.jsonl'))).envelopes).toHaveLength(1)
    expect(privatePem((await signers(1))[0] ?? makeKey('root').privateKey)).toBe(
      await readFile(at('root/root-1.key'), 'utf8'),
    )
  })
})
