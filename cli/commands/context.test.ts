import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'

let world: GrpcWorld
let dir = ''
let config = ''

beforeAll(async () => {
  world = await startGrpcWorld()
  world.snapshot = snapshotOfFleets(['edge'])
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-contexts-'))
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  await writeFile(join(dir, 'operator.pem'), world.operator.certificatePem)
  await writeFile(join(dir, 'operator.key'), world.operator.keyPem)
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  config = await mkdtemp(join(dir, 'config-'))
})

const run = (...args: readonly string[]): Promise<Ran> => runBootfleet(args, 200, { XDG_CONFIG_HOME: config })

const files = (): readonly string[] =>
  ['ca.pem', 'operator.pem', 'operator.key'].flatMap((file, index) => [
    ['--ca', '--certificate', '--key'][index] ?? '',
    join(dir, file),
  ])

const set = (name: string, address = world.address): Promise<Ran> =>
  run('context', 'set', name, '--address', address, ...files())

it('a context that is set and chosen is the one that commands use', async () => {
  expect((await set('shop')).note).toContain('"bootfleet context use shop"')
  expect(await run('status')).toMatchObject({ status: 1 })
  expect(await run('--context', 'shop', 'get', 'fleets')).toMatchObject({ status: 0 })
  expect(await run('context', 'use', 'shop')).toMatchObject({ status: 0 })
  expect(await run('get', 'fleets')).toMatchObject({ status: 0 })
  expect(await run('--context', 'default', 'get', 'fleets')).toMatchObject({ status: 1 })
})

it('the list says of each where it leads, as whom, and what is wrong with it', async () => {
  await set('shop')
  await set('edge', 'edge.example:7443')
  await run('context', 'use', 'edge')
  await write('contexts/broken.json', '{"address":1}')
  await write('contexts/new.json', JSON.stringify({ address: 'new.example:1', ca: 'ca.pem' }))
  const { out, status } = await run('context', 'list')
  expect(status).toBe(0)
  expect(out.replaceAll(/ +/g, ' ').split('\n')).toEqual([
    'USED NAME ADDRESS OPERATOR UNTIL MESSAGE',
    expect.stringMatching(/^ broken - - - read the context .*address/),
    expect.stringMatching(/^\* edge edge.example:7443 \S+ \d{4}-\S+$/),
    ' new new.example:1 - - nobody is logged in',
    expect.stringMatching(/^ shop 127.0.0.1:\d+ \S+ \d{4}-\S+$/),
    '',
  ])
  expect((await run('context', 'list', '-o', 'name')).out).toBe('broken\nedge\nnew\nshop\n')
  const [, edge] = JSON.parse((await run('context', 'list', '-o', 'json')).out) as unknown[]
  expect(edge).toMatchObject({ name: 'edge', used: true, address: 'edge.example:7443', problem: '' })
})

it('shows which one is used and why, also a file without a name', async () => {
  await set('shop')
  await run('context', 'use', 'shop')
  expect((await run('context', 'show')).out).toMatch(/used +yes: chosen with "bootfleet context use"/)
  expect((await run('--context', 'shop', 'context', 'show')).out).toMatch(/used +yes: --context says so/)
  const file = join(dir, 'alone.json')
  await writeFile(file, JSON.stringify({ address: 'alone:1', ca: 'ca.pem' }))
  const environment = { XDG_CONFIG_HOME: config, BOOTFLEET_CONTEXT: file }
  const { out } = await runBootfleet(['context', 'show', '-o', 'json'], 200, environment)
  expect(JSON.parse(out)).toMatchObject({ name: '', file, why: 'BOOTFLEET_CONTEXT says so' })
  const used = await runBootfleet(['context', 'use', 'shop'], 200, environment)
  expect(used.note).toContain(`where BOOTFLEET_CONTEXT is set, as it is here, they use ${file}`)
  expect((await runBootfleet(['context', 'list'], 200, environment)).note).toBe(
    `! commands use ${file}: BOOTFLEET_CONTEXT says so\n`,
  )
})

it('changes what is given and keeps the rest, with whole paths', async () => {
  await set('shop')
  expect(await run('context', 'set', 'shop', '--address', 'other.example:1')).toMatchObject({ status: 0 })
  const kept: unknown = JSON.parse(await readFile(join(config, 'bootfleet/contexts/shop.json'), 'utf8'))
  expect(kept).toEqual({
    address: 'other.example:1',
    ca: join(dir, 'ca.pem'),
    certificate: join(dir, 'operator.pem'),
    key: join(dir, 'operator.key'),
  })
})

it('deletes one with what a login brought for it, and keeps what it names elsewhere', async () => {
  await set('shop')
  await set('edge')
  await run('context', 'use', 'shop')
  for (const file of ['shop.login.pem', 'shop.login-ca.pem', 'edge.login.pem'])
    await write(`contexts/${file}`, '')
  const { note, status } = await run('context', 'delete', 'shop')
  expect([status, note]).toEqual([
    0,
    expect.stringMatching(/context shop is deleted.*\n» commands used it; /),
  ])
  expect((await readdir(join(config, 'bootfleet/contexts'))).toSorted()).toEqual([
    'edge.json',
    'edge.login.pem',
  ])
  expect(await readFile(join(dir, 'operator.key'), 'utf8')).toBe(world.operator.keyPem)
  expect((await run('status')).note).toContain('neither --context nor BOOTFLEET_CONTEXT')
  await write('contexts/broken.json', '{')
  expect((await run('context', 'delete', 'broken')).note).toMatch(/^✔ context broken is deleted;.*\n$/)
})

it('keeps a context whose key cannot be deleted, so that it can be tried again', async () => {
  await set('shop')
  await mkdir(join(config, 'bootfleet/contexts/shop.login.pem'), { recursive: true })
  const { note, status } = await run('context', 'delete', 'shop')
  expect([status, note]).toEqual([1, expect.stringMatching(/deleting the context shop: .*shop.login.pem/)])
  expect(await readdir(join(config, 'bootfleet/contexts'))).toContain('shop.json')
})

it('refuses what would be no context, and says what to do', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['use', 'nowhere'], /no context nowhere: .*bootfleet context set/],
    [['show', 'nowhere'], /no context nowhere/],
    [['delete', 'nowhere'], /no context nowhere/],
    [['delete', '../x'], /is no name of one/],
    [['use', '../x'], /is no name of one/],
    [['set', 'x.json', '--address', 'a:1'], /does not end in \.json/],
    [['set', 'new', '--address', 'a:1'], /needs --address and --ca/],
    [['set', 'new'], /nothing to set is given/],
    [['set', 'new', '--address', 'https://a:1'], /HOST:PORT/],
    [['set', 'new', '--address', 'a:1', '--ca', '/nowhere/ca.pem'], /--ca names a file that cannot be read/],
    [['set', 'new', '--address', 'a:1', ...files().slice(0, 4)], /go together/],
    [['set', 'login', ...files()], /comes from "bootfleet login"/],
  ]
  const login = { address: 'a:1', ca: 'ca.pem', login: { server: 'a:2' } }
  await write('contexts/login.json', JSON.stringify(login))
  for (const [args, why] of cases) {
    expect(await run('context', ...args)).toEqual({ status: 1, out: '', note: expect.stringMatching(why) })
  }
})

async function write(file: string, text: string): Promise<void> {
  const path = join(config, 'bootfleet', file)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
