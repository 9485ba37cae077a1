import { execFile, execFileSync, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { fingerprintOfAuthority } from '../../cli/login/authority.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { freePort } from '../support/nats-server.ts'
import { startOidcIssuer } from '../support/oidc-issuer.ts'
import type { OidcIssuer } from '../support/oidc-issuer.ts'
import { makeSshKey } from '../support/signed-repository.ts'
import type { SshKey } from '../support/signed-repository.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
let world: SmallFleet
let issuer: OidcIssuer
let issuerDir: string
let server: string
let caFile: string
let dir: string
let kim: SshKey

beforeAll(async () => {
  server = `127.0.0.1:${await freePort()}`
  issuerDir = await mkdtemp(join(tmpdir(), 'bootfleet-issuer-'))
  issuer = await startOidcIssuer(issuerDir)
  const oidc = { issuer: issuer.issuer, audience: 'bootfleet', caFile: issuer.caFile }
  world = await openSmallFleet({ settings: { join: { listen: server }, operators: { oidc } } })
  await statusOf(world.controller)
  caFile = join(world.controller.pkiDir, '../operator/ca.pem')
})
afterAll(async () => {
  await world.stop()
  await issuer.close()
  await rm(issuerDir, { recursive: true })
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-login-'))
  kim = makeSshKey(dir, 'kim')
  await list(kim.publicKey)
})
afterEach(() => rm(dir, { recursive: true }))

/** Takes effect within seconds, so tests wait for what follows from it. */
function list(...sshKeys: readonly string[]): Promise<void> {
  return listOperators([{ name: 'kim', sshKeys }])
}

function listOperators(operators: readonly object[]): Promise<void> {
  const bindings = [
    { who: ['admin'], role: 'admin', fleets: ['*'] },
    { who: ['kim'], role: 'operate', fleets: ['edge'] },
  ]
  const path = join(world.controller.pkiDir, 'operators.yaml')
  return writeFile(path, JSON.stringify({ operators, bindings }))
}

type Ran = { readonly status: number; readonly out: string; readonly note: string }

function bootfleet(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const words = ['--context', join(dir, 'work.json'), ...args]
  const env = { ...process.env, SSH_AUTH_SOCK: '', ...environment }
  return new Promise((resolve) => {
    execFile(PROGRAM, words, { timeout: 120_000, env }, (error, out, note) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, note }),
    )
  })
}

function first(more: readonly string[] = ['--ca-file', caFile]): readonly string[] {
  return ['login', '--server', server, '--address', world.controller.address, '--ssh-key', kim.file, ...more]
}

const patient = { timeout: 120_000, interval: 2_000 }

async function loggedIn(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const log = async () => (await bootfleet(first(), environment)).note
  await expect.poll(log, patient).toMatch(/^✔ logged in as kim until \d{4}-\S+Z\n$/)
}

test('a key of ssh-agent logs in, every later command is that operator’s, and logging out ends it', async () => {
  const socket = join(dir, 'agent')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  onTestFinished(() => void agent.kill())
  await expect.poll(() => existsSync(socket), patient).toBe(true)
  execFileSync('ssh-add', ['-q', kim.file], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
  await rm(kim.file)
  kim = { ...kim, file: `${kim.file}.pub` }
  await loggedIn({ SSH_AUTH_SOCK: socket })
  expect((await stat(join(dir, 'work.login.pem'))).mode & 0o777).toBe(0o600)

  const who = await bootfleet(['whoami', '-o', 'json'])
  const roles = [{ role: 'operate', fleets: ['edge'] }]
  expect(JSON.parse(who.out)).toMatchObject({ name: 'kim', by: kim.fingerprint, roles })
  expect((await bootfleet(['audit'])).status).toBe(0)
  expect((await bootfleet(['halt', '--all'])).note).toContain('operator kim has none for all of them')
  const again = await bootfleet(['login', '--life', '30m'], { SSH_AUTH_SOCK: socket })
  expect(again.note).toContain('logged in as kim')
  const { validTo } = new X509Certificate(await readFile(join(dir, 'work.login.pem')))
  expect(Date.parse(validTo) - Date.now()).toBeLessThanOrEqual(31 * 60_000)

  expect(await bootfleet(['logout'])).toMatchObject({ status: 0 })
  expect(existsSync(join(dir, 'work.login.pem'))).toBe(false)
  expect((await bootfleet(['whoami'])).note).toContain('nobody is logged in; run "bootfleet login"')
  expect((await bootfleet(['login'], { SSH_AUTH_SOCK: socket })).status).toBe(0)
})

test('the CA is known by its fingerprint too, and never believed because it answered', async () => {
  await loggedIn()
  await rm(join(dir, 'work.json'))
  expect((await bootfleet(first([]))).note).toContain('by which CA to know the controller')
  const fingerprint = fingerprintOfAuthority(new X509Certificate(await readFile(caFile)))
  const pinned = await bootfleet(first(['--ca-fingerprint', fingerprint]))
  expect(pinned).toMatchObject({ status: 0, note: expect.stringContaining('logged in as kim') })
  expect((await bootfleet(['whoami'])).status).toBe(0)
})

test('somebody in between, with a certificate of another CA, gets no signature', async () => {
  const other = await createAuthority()
  const tls = await (await openAuthority(other)).issueServer({ dns: [], ip: [] })
  const cert = `${tls.certificatePem}${other.certificatePem}`
  const heard: Buffer[] = []
  const between = createServer({ key: tls.keyPem, cert, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('data', (bytes: Buffer) => heard.push(bytes))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => between.close(() => resolve())))
  server = `127.0.0.1:${(between.address() as AddressInfo).port}`
  onTestFinished(async () => {
    server = (await readFile(join(world.dir, 'controller/join-address'), 'utf8')).trim()
  })
  const fingerprint = fingerprintOfAuthority(new X509Certificate(await readFile(caFile)))
  const pinned = await bootfleet(first(['--ca-fingerprint', fingerprint]))
  expect(pinned).toMatchObject({ status: 1, note: expect.stringContaining('somebody in between') })
  expect((await bootfleet(first())).status).toBe(1)
  expect(Buffer.concat(heard).toString('latin1')).not.toContain('SSH SIGNATURE')
  expect(existsSync(join(dir, 'work.json'))).toBe(false)
})

test('a key that is listed nowhere is refused, and one that is taken off the list ends what it brought', async () => {
  await loggedIn()
  const stranger = makeSshKey(dir, 'stranger')
  const refused = await bootfleet(['login', '--ssh-key', stranger.file])
  expect(refused).toMatchObject({ status: 1, note: expect.stringContaining('no operator has this key') })
  expect((await bootfleet(['whoami'])).status).toBe(0)
  // The name keeps its roles: it is the key that was stolen.
  await list(stranger.publicKey)
  const who = async () => (await bootfleet(['whoami'])).note
  await expect.poll(who, patient).toContain('is not one of that operator’s any more')
  expect((await bootfleet(['login'])).note).toContain('no operator has this key')
  expect((await bootfleet(['login', '--ssh-key', stranger.file])).note).toContain('logged in as kim')
})

test('an ID token logs in once, and its account is looked up at every call', async () => {
  await listOperators([{ name: 'kim', oidcSubjects: ['kim@example.org'] }])
  const file = join(dir, 'token')
  const words = ['login', '--server', server, '--address', world.controller.address, '--ca-file', caFile]
  const withToken = async (): Promise<string> => {
    await writeFile(file, `${issuer.token(issuer.claims())}\n`)
    return (await bootfleet([...words, '--oidc-token-file', file])).note
  }
  await expect.poll(withToken, patient).toContain('✔ logged in as kim until')
  expect(JSON.parse((await bootfleet(['whoami', '-o', 'json'])).out)).toMatchObject({
    name: 'kim',
    by: 'oidc',
  })
  expect((await bootfleet(['login'])).note).toContain('its token does not count')
  await writeFile(file, issuer.token(issuer.claims({ sub: 'lee@example.org' })))
  expect((await bootfleet(['login'])).note).toContain('no operator has this account')
  await list(kim.publicKey)
  const who = async () => (await bootfleet(['whoami'])).note
  await expect.poll(who, patient).toContain('the account that logged in as operator kim is not one of')
})

test('a certificate that an admin gave is not replaced by a login', async () => {
  const context = { address: world.controller.address, ca: caFile, certificate: caFile, key: kim.file }
  await writeFile(join(dir, 'work.json'), JSON.stringify(context))
  expect(await bootfleet(first())).toMatchObject({
    status: 1,
    note: expect.stringContaining('a certificate that no login brought'),
  })
})
