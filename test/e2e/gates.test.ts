import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDev } from '../support/dev.ts'
import type { RunningDev } from '../support/dev.ts'
import { startHttpServer } from '../support/http-server.ts'
import type { HttpServer } from '../support/http-server.ts'

/** The walk of docs/rollouts.md: approval, soak, superseded half-way, and what a person reads at each stage. */

const fleetPath = 'fleets/demo.yaml'
let dev: RunningDev
let shop: HttpServer
let first: { readonly digest: string; readonly commit: string }

beforeAll(async () => {
  shop = await startHttpServer()
  dev = await startDev(3)
})

afterAll(async () => {
  await dev.stop()
  await shop.close()
})

async function out(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await dev.bootfleet(...args)
  expect([args, status, stderr]).toEqual([args, 0, ''])
  return stdout
}

async function waitFor(...args: string[]): Promise<{ status: number | null; text: string }> {
  const { status, stdout, stderr } = await dev.bootfleet('status', '--wait', '--timeout', '120s', ...args)
  return { status, text: `${stderr}${stdout}` }
}

async function commit(digest: string, strategy: string): Promise<string> {
  const text = await dev.read(fleetPath)
  const pinned = text.replace(/digest: .*/, `digest: ${digest}`)
  return dev.commit({
    [fleetPath]: pinned.replace(/ {2}waves:[\s\S]*? {2}maxUnavailable:/, `${strategy}  maxUnavailable:`),
  })
}

type Wave = { readonly name: string; readonly state: string; readonly rollout: string }
const waves = async (): Promise<readonly Wave[]> =>
  JSON.parse(await out('get', 'waves', '--fleet', 'demo', '-o', 'json')) as readonly Wave[]
const stateOf = async (name: string): Promise<string | undefined> =>
  (await waves()).find((wave) => wave.name === name)?.state

/** Names of hosts by whether they run a digest. */
async function hostsRunning(digest: string): Promise<readonly [string, string]> {
  const hosts = JSON.parse(await out('get', 'hosts', '-o', 'json')) as readonly {
    readonly name: string
    readonly bootedDigest: string
  }[]
  const has = hosts.find(({ bootedDigest }) => bootedDigest === digest)?.name ?? ''
  const lacks = hosts.findLast(({ bootedDigest }) => bootedDigest !== digest)?.name ?? ''
  return [has, lacks]
}

const gated = (url: string): string => `  waves:
    - name: canary
      upTo: 1
      soak: 1s
      approval: { required: true, expiresAfter: 1h }
    - name: half
      upTo: 2
      soak: 10m
  analysis:
    - name: shop
      provider: http
      url: ${url}/health
      interval: 10s
`

it('waits for approval after the canary has soaked and its analysis passed', async () => {
  expect(await waitFor()).toMatchObject({ status: 0, text: expect.stringContaining('Synced') })
  const digest = (await dev.image('1.0.0')).split('@')[1] ?? ''
  first = { digest, commit: await commit(digest, gated(shop.address)) }
  const { status, text } = await waitFor('--revision', first.commit)
  expect(text).toContain('waits for approval')
  expect(status).toBe(5)
  expect(shop.asked.length).toBeGreaterThan(0)
  expect(await out('status', 'demo')).toMatch(/◇ AwaitingApproval .*expires in/)
  expect(await stateOf('canary')).toBe('AwaitingApproval')

  const [canary, waiting] = await hostsRunning(digest)
  const why = await out('why', `host/${waiting}`)
  // The next wave's host is staged ahead of its turn; the last wave's is not.
  expect(why).toMatch(/Reason: +(WaitsForWave|Prefetched)/)
  expect(why).toMatch(/Why: .*waits for wave "canary": waits for approval/)
  expect(await out('why', canary)).toMatch(/Next: +nothing, until git names another image/)
  const hops = (await out('trace', `host/${canary}`, '-o', 'json')).match(/"kind": "\w+"/g)
  expect(hops?.map((hop) => hop.slice(9, -1))).toEqual([
    'Commit',
    'Digest',
    'Rollout',
    'Wave',
    'Grant',
    'Boot',
  ])
  const trace = await out('trace', 'host', canary)
  for (const word of [first.commit, digest, 'succeeded', 'health Passed']) expect(trace).toContain(word)
})

it('goes on when it is approved, once, and soaks', async () => {
  expect(await dev.bootfleet('approve', 'demo', '--wave', 'half')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('nothing waits for approval'),
  })
  const approved = await out('approve', 'fleet/demo', '--wave', 'canary', '--reason', 'looks good')
  expect(approved).toContain('wave "canary" is approved')
  expect(await out('approve', 'demo', '--wave', 'canary')).toContain('was approved already, by admin')
  await expect.poll(() => stateOf('half'), { timeout: 120_000, interval: 500 }).toBe('Soaking')
  const [, waiting] = await hostsRunning(first.digest)
  expect(await out('why', waiting)).toMatch(/wave "half": soaking, \d+m\d+s left/)
  const trace = await out('trace', 'fleet/demo')
  expect(trace).toMatch(/^Order .* admin +approve: looks good$/m)
  expect(trace).toMatch(/^Wave .* admin +canary: soaked 1s, approved by admin: "looks good"$/m)
  expect(trace).toContain('2 of 3 hosts run it')
})

it('is superseded half-way and ends on the newer digest', async () => {
  const old = dev.bootfleet('status', '--wait', '--revision', first.commit, '--timeout', '120s')
  const digest = (await dev.image('2.0.0')).split('@')[1] ?? ''
  const before = (await waves())[0]?.rollout ?? ''
  const newer = await commit(digest, '  waves: [{ name: canary, upTo: 1, soak: 1s }]\n')
  expect(await waitFor('--revision', newer)).toMatchObject({
    status: 0,
    text: expect.stringContaining('3/3 updated'),
  })
  expect((await old).status).toBe(6)
  expect(await dev.runningDigests()).toEqual(dev.hosts.map(() => digest))
  expect(await out('describe', `rollout/${before}`)).toMatch(/» Superseded/)
  for (const host of dev.hosts) {
    expect(await out('why', host)).toMatch(/Reason: +-\nWhy: +runs 2\.0\.0/)
    const trace = await out('trace', `host/${host}`)
    expect(trace).toContain(newer)
    expect(trace).toMatch(/Boot .*health Passed/)
  }
})

it('halts everything at one word, and goes on when it is taken back', async () => {
  expect(await out('halt')).toContain('every fleet is halted')
  const digest = (await dev.image('3.0.0-halted')).split('@')[1] ?? ''
  const halted = await commit(digest, '  waves: [{ name: canary, upTo: 1, soak: 1s }]\n')
  expect(await waitFor('--revision', halted)).toMatchObject({ status: 5 })
  expect(await out('status')).toMatch(/demo .*■ Halted .*every fleet was halted by admin/)
  expect(await out('why', 'host-1')).toMatch(/Reason: +Halted/)
  expect(await dev.bootfleet('resume', 'demo')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('bootfleet resume --all'),
  })
  expect(await out('resume', '--all')).toContain('no longer halted')
  expect(await out('resume', '--all')).toContain('not every fleet is halted')
  expect(await waitFor('--revision', halted)).toMatchObject({ status: 0 })
})
