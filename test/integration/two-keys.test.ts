import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signImage } from '../../cli/dev/sign-image.ts'
import {
  ListHostsRequestSchema,
  SyncRequestSchema,
  WhyRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  ListHostsResponse,
  SyncResponse,
  WhyResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { keysOf, sealBundle } from '../../proto/trust-chain.ts'
import { chainText, readChain } from '../../trust/chain-file.ts'
import { contentOf } from '../../trust/content.ts'
import { makeKey } from '../../trust/keys.ts'
import { call } from '../support/controller.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
const COSIGN = join(import.meta.dirname, '../../.cache/tools/cosign')
const hostNames = ['host-000', 'host-001']
const waiting = { timeout: 100_000, interval: 200 }
let world: SmallFleet

beforeAll(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
})
afterAll(() => world.stop())

const soon = () => ({ deadline: Date.now() + 60_000 })
const trustFile = (...parts: readonly string[]): string => join(world.dir, 'trust', ...parts)
const releaseKey = (): string => join(world.dir, 'release.key')

function bootfleet(...words: readonly string[]): void {
  execFileSync(PROGRAM, ['trust', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function want(digest: string): Promise<void> {
  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
  const { operator } = world.controller
  await call<SyncResponse>((done) => operator.sync(create(SyncRequestSchema), soon(), done))
}

const imageOf = (digest: string) => ({ repository: `${world.registry.address}/os/edge`, digest })

async function sign(digest: string): Promise<void> {
  await signImage(imageOf(digest), releaseKey(), new AbortController().signal)
}

const heldNumbers = (): Promise<readonly number[]> =>
  Promise.all(
    hostNames.map(
      async (name) => (await readChain(join(world.dir, name, 'trust.jsonl'))).newest.content.number,
    ),
  )

async function running(): Promise<readonly string[]> {
  const { operator } = world.controller
  const { hosts } = await call<ListHostsResponse>((done) =>
    operator.listHosts(create(ListHostsRequestSchema), soon(), done),
  )
  return hosts.map(({ bootedDigest }) => bootedDigest)
}

/** What `bootfleet why` says of each host, as far as it is an end. */
async function ends(): Promise<string> {
  const { operator } = world.controller
  const said = hostNames.map((host) =>
    call<WhyResponse>((done) => operator.why(create(WhyRequestSchema, { host }), soon(), done)),
  )
  return (await Promise.all(said)).map(({ message }) => message).join('\n')
}

/** All that a controller has, and of its own making a trust that asks for no release: hosts do not follow it. */
async function forgeTrust(): Promise<string> {
  const { newest } = await readChain(trustFile('controller/trust.jsonl'))
  const root = makeKey('root')
  const content = contentOf({
    number: 1,
    issuedAtMs: Date.now(),
    expiresAtMs: Date.now() + 3_600_000,
    keys: { root: [root.publicKey], director: keysOf(newest, 'director'), release: [], approver: [] },
    thresholds: { root: 1, director: 1, release: 1, approver: 1 },
    certificateAuthorities: newest.content.certificateAuthorities,
  })
  const path = join(world.dir, 'forged.jsonl')
  await writeFile(path, chainText([sealBundle(content, [root.privateKey])]))
  return path
}

async function restartWith(pki: Readonly<Record<string, string>>): Promise<void> {
  await world.controller.stop()
  const path = join(world.dir, 'controller.yaml')
  const settings = JSON.parse(await readFile(path, 'utf8')) as object
  await writeFile(path, JSON.stringify({ ...settings, pki }))
  await world.controller.start()
}

test('an image that no release key signed is granted to nobody, and a stolen controller does not help', async () => {
  const [first, second, third] = [
    await world.registry.pushEmptyImage('os/edge', '1.0.0'),
    await world.registry.pushEmptyImage('os/edge', '2.0.0'),
    await world.registry.pushEmptyImage('os/edge', '3.0.0'),
  ]
  await world.startHosts(hostNames.length, first)
  await want(first)
  await untilStatus(world.controller, runs(first))

  // From here on hosts, and so the controller, ask for a second key.
  bootfleet('key', 'release', releaseKey())
  const added = ['--add', `release=${join(world.dir, 'release.pem')}`]
  const signers = [trustFile('root/root-1.key'), trustFile('root/root-2.key')]
  bootfleet('rotate', trustFile('controller/trust.jsonl'), ...added, '--root-key', ...signers)
  await expect.poll(heldNumbers, waiting).toEqual([2, 2])

  await want(second)
  const missing = await untilStatus(world.controller, (status) => edgeOf(status)?.state === 'Pending')
  expect(edgeOf(missing)?.message).toMatch(/os\/edge@sha256:\w+: the trust bundle asks for a signature by/)
  await sign(second)
  await untilStatus(world.controller, runs(second))

  const { pkiDir } = world.controller
  await restartWith({ dir: pkiDir, trust: await forgeTrust() })
  await want(third)
  await expect
    .poll(ends, waiting)
    .toMatch(/rejected: ImageUnsigned: verifying .*, and there is none; sign the/)
  expect(await running()).toEqual([second, second])

  await restartWith({ dir: pkiDir, trust: trustFile('controller/trust.jsonl') })
  const fourth = await world.registry.pushEmptyImage('os/edge', '4.0.0')
  await sign(fourth)
  await want(fourth)
  await untilStatus(world.controller, runs(fourth))
})

test('what our own code signs is signed for cosign too', async () => {
  const digest = await world.registry.pushEmptyImage('os/edge', '5.0.0')
  await sign(digest)
  const { repository } = imageOf(digest)
  const offline = ['--insecure-ignore-tlog=true', '--allow-http-registry', '--new-bundle-format=false']
  const key = ['--key', join(world.dir, 'release.pem')]
  const said = execFileSync(COSIGN, ['verify', ...key, ...offline, `${repository}@${digest}`], {
    env: { ...process.env, HOME: world.dir },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  expect(said).toContain(digest)
})
