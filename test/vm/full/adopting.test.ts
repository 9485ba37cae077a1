import { afterAll, beforeAll, expect, it } from 'vitest'
import { settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import { onAnyMachine, working } from '../../support/vm/versions.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { DebianMachine, World } from '../../support/vm/world.ts'

let world: World
let machine: DebianMachine
let digest: string
const slowMs = 1_800_000

beforeAll(async () => {
  world = await openWorld()
  digest = await world.images.push('1', onAnyMachine(working))
  wantImage(world, digest, { checks: ['web-up'] })
  machine = await world.debian('till-1', 'uefi')
  await machine.start()
})

afterAll(async () => {
  await world.close()
})

const run = async (command: string): Promise<string> => machine.shell.run(command, slowMs)

async function reboot(): Promise<void> {
  const before = await machine.boots()
  await run('systemctl --no-block reboot')
  await expect.poll(() => machine.boots(), { timeout: slowMs }).toBeGreaterThan(before)
}

const root = async (): Promise<string> => run('findmnt -no FSROOT /')

it('adopts a machine that runs', async () => {
  expect(await root()).toBe('/@rootfs')
  await run(
    'echo written before the adoption >/srv/note; echo "ann:x:1000:1000::/home/ann:/bin/sh" >>/etc/passwd',
  )
  const image = `${world.repository}@${digest}`
  const { fingerprint } = JSON.parse(await run(`bootfleet-agent adopt --dry-run --json ${image}`)) as {
    fingerprint: string
  }
  expect(await run(`bootfleet-agent adopt --approve ${fingerprint} ${image}`)).toContain('done: ')
  await reboot()
  await untilSeen(world, [machine], settledOn(digest))
  expect(await root()).toMatch(/^\/@adopted-var\/lib\/container-snap\/.*-work1$/)
  expect(await run('cat /srv/note; grep ^ann: /etc/passwd')).toBe(
    'written before the adoption\nann:x:1000:1000::/home/ann:/bin/sh',
  )
})

it('has its old root back after an undo', async () => {
  await run('systemctl stop bootfleet-agent')
  await run('bootfleet-agent adopt --undo')
  await reboot()
  expect(await root()).toBe('/@rootfs')
  await run('bootfleet-agent adopt --undo --discard-changes')
  const left = await run('ls /boot /boot/grub; btrfs subvolume list / | sed "s/.* path //"')
  expect(left).not.toMatch(/bootfleet|custom\.cfg|adopted/)
  await reboot()
  expect(await root()).toBe('/@rootfs')
  expect(await run('cat /srv/note')).toBe('written before the adoption')
})
