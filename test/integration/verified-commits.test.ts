import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SyncRequestSchema, TraceRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { SourceStatus, SyncResponse, TraceResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../support/controller.ts'
import { allowed, createSignedRepository, makeSshKey } from '../support/signed-repository.ts'
import type { SignedRepository, SshKey } from '../support/signed-repository.ts'
import { openSmallFleet, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

let dir: string
let world: SmallFleet
let repository: SignedRepository
let kim: SshKey

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-verified-'))
  repository = createSignedRepository(dir)
  kim = makeSshKey(dir, 'kim')
  const allowedSignersFile = join(dir, 'allowed')
  await writeFile(allowedSignersFile, allowed('kim@example', kim))
  const verify = { commits: 'ssh', allowedSignersFile }
  world = await openSmallFleet({ settings: { git: { url: repository.url, pollInterval: '1h', verify } } })
})
afterEach(async () => {
  await world.stop()
  await rm(dir, { recursive: true, force: true })
})

function wants(digest: string, key: SshKey | null): string {
  const files = { 'edge.yaml': world.fleetFile(`digest: "${digest}"`) }
  return repository.commit(`Run ${digest}`, { key, files })
}

const soon = (): { readonly deadline: number } => ({ deadline: Date.now() + 60_000 })

async function sync(): Promise<SourceStatus | undefined> {
  const { operator } = world.controller
  const send = create(SyncRequestSchema, {})
  return (await call<SyncResponse>((done) => operator.sync(send, soon(), done))).source
}

async function commitHop(): Promise<string> {
  const { operator } = world.controller
  const send = create(TraceRequestSchema, { fleet: 'edge' })
  const { hops } = await call<TraceResponse>((done) => operator.trace(send, soon(), done))
  return hops.find(({ kind }) => kind === 'Commit')?.message ?? ''
}

test('an unsigned commit moves nothing, and neither does a branch that goes back, until an operator says so', async () => {
  const { controller, registry } = world
  const first = await registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await registry.pushEmptyImage('os/edge', '2.0.0')
  await world.startHosts(1, first)
  const begin = wants(first, kim)
  const good = wants(second, kim)
  const signer = `kim@example (${kim.fingerprint})`
  expect(await sync()).toMatchObject({ acceptedCommit: good, acceptedSigner: signer })
  await untilStatus(controller, ({ fleets }) => fleets[0]?.rollout?.digest === second)
  expect(await commitHop()).toContain(`signed by ${signer}`)

  const bad = wants(first, null)
  const refused = await sync()
  expect(refused).toMatchObject({ headCommit: bad, acceptedCommit: good, rejection: { commit: bad } })
  expect(refused?.rejection?.issues[0]).toContain(`verifying commit ${bad}`)
  expect(refused?.error).toBe('')

  await controller.kill9()
  repository.git('reset', '-q', '--hard', begin)
  await controller.start()
  const status = await untilStatus(controller, ({ source }) => source?.rejection?.commit === begin)
  expect(status.source?.rejection?.issues[0]).toContain(`does not descend from ${good}`)
  expect(status.source).toMatchObject({ acceptedCommit: good, acceptedSigner: signer })
  expect(status.fleets[0]?.digest).toBe(second)

  await controller.kill9()
  const path = join(world.dir, 'controller.yaml')
  const config = JSON.parse(await readFile(path, 'utf8')) as { git: { verify: object } }
  config.git.verify = { ...config.git.verify, startCommit: begin }
  await writeFile(path, JSON.stringify(config))
  await controller.start()
  const back = await untilStatus(controller, ({ source }) => source?.acceptedCommit === begin)
  expect(back.source?.rejection).toBeUndefined()
  expect(back.source?.acceptedSigner).toContain('nobody')
})
