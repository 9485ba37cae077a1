import { X509Certificate } from 'node:crypto'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { expect, onTestFinished, test } from 'vitest'
import { ListHostsRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { ListHostsResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../support/controller.ts'
import { operatorContext } from '../support/operator-context.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')

type Run = { readonly status: number; readonly out: string; readonly note: string }

async function bootfleet(context: string, ...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(PROGRAM, ['--context', context, ...args], { timeout: 20_000 }, (error, out, note) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, note }),
    )
  })
}

async function openWorld(): Promise<{ world: SmallFleet; dir: string; context: string }> {
  const world = await openSmallFleet()
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-enrol-'))
  onTestFinished(async () => {
    await world.stop()
    await rm(dir, { recursive: true })
  })
  const context = await operatorContext(world)
  await statusOf(world.controller)
  return { world, dir, context }
}

/** As docs/guide.md says. */
function makeKey(dir: string): void {
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['genpkey', ...curve, '-out', join(dir, 'key.pem')], { stdio: 'ignore' })
  const request = ['-key', join(dir, 'key.pem'), '-subj', '/', '-out', join(dir, 'request.csr')]
  execFileSync('openssl', ['req', '-new', ...request], { stdio: 'ignore' })
}

test('a request made with openssl is signed, and its host known by name and labels', async () => {
  const { world, dir, context } = await openWorld()
  makeKey(dir)
  const trust = join(world.controller.pkiDir, '../hosts/trust.jsonl')
  const words = ['enrol', 'host', 'till-1', '--identity', dir, '--trust', trust]
  const first = await bootfleet(context, ...words, '--label', 'site=eu', '--label', 'kind=till')
  expect(first).toMatchObject({ status: 0, out: expect.stringMatching(/^[a-z2-7]{26}\n$/) })
  const certificate = new X509Certificate(await readFile(join(dir, 'certificate.pem')))
  expect(certificate.subjectAltName).toBe(`URI:spiffe://bootfleet/host/${first.out.trim()}`)
  expect(certificate.verify(new X509Certificate(await readFile(join(dir, 'ca.pem'))).publicKey)).toBe(true)
  expect(await readFile(join(dir, 'trust.jsonl'))).toEqual(await readFile(trust))
  const { hosts } = await call<ListHostsResponse>((done) =>
    world.controller.operator.listHosts(
      create(ListHostsRequestSchema),
      { deadline: Date.now() + 60_000 },
      done,
    ),
  )
  expect(hosts).toMatchObject([
    { hostId: first.out.trim(), name: 'till-1', labels: { site: 'eu', kind: 'till' } },
  ])
  const again = await bootfleet(context, 'enrol', 'host', 'till-1', '--identity', dir)
  expect(again.out).toBe(first.out)
})

test('without a request, or under another trust than the host believes, nothing is written', async () => {
  const { world, dir, context } = await openWorld()
  const words = ['enrol', 'host', 'till-1', '--identity', dir]
  expect(await bootfleet(context, ...words)).toMatchObject({
    status: 1,
    note: expect.stringContaining('reading its certificate request: ENOENT'),
  })
  makeKey(dir)
  expect(await bootfleet(context, ...words, '--trust', join(dir, 'key.pem'))).toMatchObject({
    note: expect.stringContaining('reading the trust bundles of'),
  })
  const foreign = join(dir, 'foreign')
  expect(await bootfleet(context, 'trust', 'init', foreign)).toMatchObject({ status: 0 })
  const trust = join(foreign, 'hosts/trust.jsonl')
  expect(await bootfleet(context, ...words, '--trust', trust)).toMatchObject({
    status: 1,
    note: expect.stringContaining('do not begin with the one the host believes'),
  })
  await expect(readFile(join(dir, 'certificate.pem'))).rejects.toThrow('ENOENT')
  expect(await bootfleet(context, ...words, '--label', 'site')).toMatchObject({
    status: 1,
    note: expect.stringContaining('write KEY=VALUE'),
  })
  expect(await bootfleet(context, ...words)).toMatchObject({ status: 0 })
  const given = await readFile(join(world.controller.pkiDir, 'trust.jsonl'))
  expect(await readFile(join(dir, 'trust.jsonl'))).toEqual(given)
})
