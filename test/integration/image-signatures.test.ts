import { afterAll, beforeAll, expect, test } from 'vitest'
import { importKey, signImage } from '../support/cosign.ts'
import type { SigningKey } from '../support/cosign.ts'
import { edgeOf, openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

let world: SmallFleet
let release: SigningKey
let stranger: SigningKey

beforeAll(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
  release = await importKey(world.dir, 'release')
  stranger = await importKey(world.dir, 'stranger')
})
afterAll(async () => {
  await world.stop()
})

const signed = (digest: string) => `digest: "${digest}", verify: { cosign: { keys: [keys/release.pub] } }`

test('an image is granted to nobody until somebody signs it whom git names', async () => {
  const { controller, git, registry } = world
  const first = await registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await registry.pushEmptyImage('os/edge', '2.0.0')
  const name = (digest: string) => `${registry.address}/os/edge@${digest}`
  await signImage(world.dir, name(first), release, 'simple-signing')
  git.commit({ 'keys/release.pub': release.publicPem, 'fleet.yaml': world.fleetFile(signed(first)) }, 'One')
  await world.startHosts(2, first)
  await untilStatus(controller, runs(first))

  git.commit({ 'fleet.yaml': world.fleetFile(signed(second)) }, 'Two, which nobody signed')
  const missing = await untilStatus(controller, (status) => edgeOf(status)?.state === 'Pending')
  expect(edgeOf(missing)).toMatchObject({ hostsTotal: 2, hostsUpdated: 2, digest: first })
  expect(edgeOf(missing)?.message).toContain(
    `${name(second)}: a release signature by key keys/release.pub is needed, and no signature was found`,
  )

  await signImage(world.dir, name(second), stranger, 'bundle')
  const said = (status: Parameters<typeof edgeOf>[0]) => edgeOf(status)?.message ?? ''
  await untilStatus(controller, (status) => said(status).includes('it is signed by another key'))
  expect(edgeOf(await untilStatus(controller, () => true))).toMatchObject({ digest: first, hostsUpdated: 2 })

  await signImage(world.dir, name(second), release, 'bundle')
  await untilStatus(controller, runs(second))
})
