import { afterAll, beforeAll, expect, it } from 'vitest'
import { settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import { text } from '../../support/vm/host-images.ts'
import type { Machine } from '../../support/vm/machine.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { World } from '../../support/vm/world.ts'

let world: World
let machine: Machine
let first: string
let second: string

const motd = (version: string): Record<string, ReturnType<typeof text>> => ({
  'etc/motd': text(`version ${version}\n`),
  'etc/issue': text(`issue ${version}\n`),
})

beforeAll(async () => {
  world = await openWorld()
  first = await world.images.push('1', motd('1'))
  second = await world.images.push('2', motd('2'))
  wantImage(world, first)
  machine = await world.machine('till-1', first)
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
})

afterAll(async () => {
  await world.close()
})

/** What each of them holds is its own path. */
const persistent = ['/home/kim/own', '/root/own', '/srv/own', '/opt/app/own', '/usr/local/bin/own']

const look = (): Promise<string> =>
  machine.shell.run(
    `cat /etc/motd /etc/issue /etc/local.conf /var/lib/till/sales /srv/shared /home/kim/notes; id -u kim
cat ${persistent.join(' ')}`,
  )

it('keeps edits of /etc, users and data through 1 to 2 to 1, and what the image owns follows it', async () => {
  await machine.shell.run(`set -e
echo local >/etc/local.conf; echo 'issue of this host' >/etc/issue
echo 'kim:x:4711:4711::/home/kim:/bin/bash' >>/etc/passwd; echo 'kim:x:4711:' >>/etc/group
mkdir -p /var/lib/till /home/kim; echo 42 >/var/lib/till/sales; echo shared >/srv/shared; echo note >/home/kim/notes
for f in ${persistent.join(' ')}; do mkdir -p "$(dirname "$f")"; echo "$f" >"$f"; done`)
  const identity = 'cat /etc/machine-id /etc/hostname /etc/fstab'
  const identityBefore = await machine.shell.run(identity)
  const expected = (version: string): string =>
    `version ${version}\nissue of this host\nlocal\n42\nshared\nnote\n4711\n${persistent.join('\n')}`
  expect(await look()).toBe(expected('1'))
  for (const [version, digest] of [
    ['2', second],
    ['1', first],
  ] as const) {
    wantImage(world, digest, { downgrade: 'Allow' })
    const { hosts } = await untilSeen(world, [machine], settledOn(digest))
    expect(await look()).toBe(expected(version))
    expect(await machine.shell.run(identity)).toBe(identityBefore)
    expect(hosts[0]?.etcConflicts.some((path) => path.endsWith('issue'))).toBe(true)
  }
  for (const path of ['/usr/lib/version', '/usr/bin/changed', '/changed']) {
    await expect(machine.shell.run(`echo changed >${path}`)).rejects.toThrow(/Read-only file system/)
  }
})
