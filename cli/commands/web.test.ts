import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runBootfleet } from '../../test/support/command-line.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { splitAddress } from './web.ts'

let world: GrpcWorld
let dir: string
let context: string

beforeAll(async () => {
  world = await startGrpcWorld()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-web-'))
  context = join(dir, 'context.json')
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  await writeFile(join(dir, 'kim.pem'), world.operator.certificatePem)
  await writeFile(join(dir, 'kim.key'), world.operator.keyPem)
  const identity = { ca: 'ca.pem', certificate: 'kim.pem', key: 'kim.key' }
  await writeFile(context, JSON.stringify({ address: world.address, ...identity }))
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true, force: true })
})

it('says what to write where a controller serves no page', async () => {
  const { status, out, note } = await runBootfleet(['--context', context, 'web'])
  expect([status, out]).toEqual([1, ''])
  expect(note).toMatch(/serves no web page; write web: \{ listen: "0\.0\.0\.0:8445" \}/)
})

it('says what is wrong with an address or a port', async () => {
  const wrong = await runBootfleet(['--context', context, 'web', '--server', 'fleet.example'])
  expect([wrong.status, wrong.note]).toEqual([1, expect.stringContaining('"fleet.example" is no HOST:PORT')])
  expect((await runBootfleet(['web', '--port', '70000'])).note).toContain('write a port')
})

it('reads addresses with names and both kinds of numbers', () => {
  expect(splitAddress('fleet.example:8443')).toEqual({ host: 'fleet.example', port: 8443 })
  expect(splitAddress('[2001:db8::1]:1')).toEqual({ host: '2001:db8::1', port: 1 })
})
