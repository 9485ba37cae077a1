import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { keyIdOf } from '../../proto/envelope.ts'
import type { TrustContent } from '../../proto/trust-bundle.ts'
import { makeTrust } from '../testing/trust.ts'
import { openTrust, signingOnDisk } from './trust.ts'
import type { HostTrust } from './trust.ts'

const director = generateKeyPairSync('ed25519')
const later = generateKeyPairSync('ed25519')
const world = makeTrust(director.publicKey, director.privateKey)
const foreign = makeTrust(director.publicKey, later.privateKey)
const directorPem = director.publicKey.export({ type: 'spki', format: 'pem' }).toString()

let identityDir: string
let warnings: string[]

beforeEach(async () => {
  identityDir = await mkdtemp(join(tmpdir(), 'bootfleet-trust-'))
  warnings = []
})
afterEach(() => rm(identityDir, { recursive: true, force: true }))

const heldPath = (): string => join(identityDir, 'held.jsonl')
const open = (): Promise<HostTrust> =>
  openTrust({
    identityDir,
    path: heldPath(),
    log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
  })
const enrolWith = (...envelopes: readonly Uint8Array[]): Promise<void> =>
  writeFile(
    join(identityDir, 'trust.jsonl'),
    envelopes.map((one) => `${Buffer.from(one).toString()}\n`).join(''),
  )
const believedBy = (trust: HostTrust): readonly string[] =>
  trust.believed().directorKeys.map((key) => keyIdOf(key))
const idsOf = (...keys: readonly KeyObject[]): readonly string[] => keys.map((key) => keyIdOf(key))

it('a host believes the directors of the bundle that its enrolment brought', async () => {
  await enrolWith(world.first)
  const trust = await open()
  expect(trust.number()).toBe(1)
  expect(believedBy(trust)).toEqual(idsOf(director.publicKey))
  expect(trust.believed().expiresAtMs).toBeGreaterThan(Date.now())
})

it('a successor counts at once and at the next start, and nothing leads back', async () => {
  await enrolWith(world.first)
  const trust = await open()
  expect(await trust.offer(world.next([later.publicKey]))).toBe(true)
  expect([trust.number(), believedBy(trust)]).toEqual([2, idsOf(later.publicKey)])
  expect(await trust.offer(world.first)).toBe(false)
  expect(await trust.offer(world.next([director.publicKey]))).toBe(false)
  const again = await open()
  expect([again.number(), believedBy(again)]).toEqual([2, idsOf(later.publicKey)])
})

it('images need a signature from the bundle on that names a release key, and both are said', async () => {
  await enrolWith(world.first)
  const trust = await open()
  expect([trust.believed().release, warnings.join('')]).toEqual([
    null,
    expect.stringContaining('images need no signature here') as string,
  ])
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const { payload } = JSON.parse(Buffer.from(world.first).toString()) as { payload: string }
  const { keys, roles } = JSON.parse(Buffer.from(payload, 'base64').toString()) as TrustContent
  const publicKey = key.export({ type: 'spki', format: 'pem' }).toString()
  const release = { threshold: 1, keyIds: [keyIdOf(key)] }
  const changes = { keys: [...keys, { id: keyIdOf(key), publicKey }], roles: { ...roles, release } }
  expect(await trust.offer(world.next([director.publicKey], changes))).toBe(true)
  expect(trust.believed().release?.keys.map((one) => keyIdOf(one.key))).toEqual([keyIdOf(key)])
  const sentence = `images must be signed by 1 of the release keys ${keyIdOf(key).slice(0, 12)}`
  expect(await signingOnDisk(heldPath())).toBe(sentence)
})

it('offers are judged one after the other, however close they come', async () => {
  await enrolWith(world.first)
  const trust = await open()
  const second = world.next([later.publicKey])
  const third = world.next([director.publicKey, later.publicKey], { number: 3 })
  expect(await Promise.all([trust.offer(second), trust.offer(third), trust.offer(second)])).toEqual([
    true,
    true,
    false,
  ])
  expect(trust.number()).toBe(3)
})

it('a bundle of another deployment is refused, and its enrolment not followed', async () => {
  await enrolWith(world.first)
  const trust = await open()
  expect(await trust.offer(foreign.next([later.publicKey]))).toBe(false)
  await enrolWith(foreign.first, foreign.next([later.publicKey]))
  expect(believedBy(await open())).toEqual(idsOf(director.publicKey))
  expect(warnings.join('')).toContain('another deployment')
})

it('an enrolment that leads further is followed at the next start', async () => {
  await enrolWith(world.first)
  await open()
  await enrolWith(world.first, world.next([later.publicKey]))
  expect((await open()).number()).toBe(2)
})

it('a bundle that cannot be written down does not count', async () => {
  await enrolWith(world.first)
  const trust = await open()
  await rm(heldPath())
  await rm(`${heldPath()}.new`, { force: true })
  const blocked = join(identityDir, 'held.jsonl.new')
  await mkdir(blocked)
  expect(await trust.offer(world.next([later.publicKey]))).toBe(false)
  expect(trust.number()).toBe(1)
  expect(warnings.join('')).toContain('the one before stays in force')
})

it('a host of before there were bundles takes the first on the word of its director, and keeps it', async () => {
  await writeFile(join(identityDir, 'director.pem'), directorPem)
  const trust = await open()
  expect([trust.number(), trust.believed().expiresAtMs]).toEqual([0, null])
  expect(believedBy(trust)).toEqual(idsOf(director.publicKey))
  expect(await trust.offer(makeTrust(later.publicKey, later.privateKey).first)).toBe(false)
  expect(await trust.offer(world.next([later.publicKey]))).toBe(false)
  expect(await trust.offer(world.first)).toBe(true)
  expect((await open()).number()).toBe(1)
})

it('a damaged file is not taken for an empty one', async () => {
  await enrolWith(world.first)
  await open()
  const text = await readFile(heldPath(), 'utf8')
  await writeFile(heldPath(), text.slice(0, -20))
  await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
  await rm(heldPath())
  await enrolWith(Buffer.from('{}'))
  await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
  await rm(join(identityDir, 'trust.jsonl'))
  await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
  await writeFile(join(identityDir, 'director.pem'), 'nothing')
  await expect(open()).rejects.toMatchObject({ code: 'IdentityInvalid' })
})
