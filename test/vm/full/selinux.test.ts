import { afterAll, beforeAll, expect, it } from 'vitest'
import { rolledBackFrom, settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import { text } from '../../support/vm/host-images.ts'
import type { Files } from '../../support/vm/host-images.ts'
import type { Machine } from '../../support/vm/machine.ts'
import { broken, working } from '../../support/vm/versions.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { World } from '../../support/vm/world.ts'

const checks = ['web-up']
let world: World
let machine: Machine
let runs: string

/** Debian's own policy, which does not let systemd-tmpfiles read what the firmware passes on: so it is in the image. */
const enforcing = (files: Files): Files => ({
  ...files,
  'etc/selinux/config': text('SELINUX=enforcing\nSELINUXTYPE=default\n'),
  'usr/lib/bootc/kargs.d/20-selinux.toml': text('kargs = ["security=selinux"]\n'),
  'etc/containers/registries.conf.d/lab.conf': text(world.registrySettings),
})

beforeAll(async () => {
  world = await openWorld({ packages: ['selinux-policy-default', 'policycoreutils', 'selinux-utils'] })
  runs = await world.images.push('1', enforcing(working))
  wantImage(world, runs, { checks })
  machine = await world.machine('till-1', runs)
  await machine.start()
})
afterAll(async () => world.close())

it('boots with SELinux enforcing', async () => {
  await untilSeen(world, [machine], settledOn(runs))
  expect(await machine.shell.run('getenforce')).toBe('Enforcing')
  const wrongly = 'restorecon -n -r -v /usr /etc'
  expect(await machine.shell.run(wrongly)).toBe('')
  const [spoil, mend] = ['chcon -t bin_t /etc/hostname', 'restorecon /etc/hostname']
  expect(await machine.shell.run(`${spoil}; ${wrongly}; ${mend}`)).toMatch(/^Would relabel \/etc\/hostname /)
  expect(await machine.shell.run('systemctl is-active container-snap-readonly container-snap-repair')).toBe(
    'active\nactive',
  )
})

it('goes from 1 to 2 by a commit', async () => {
  runs = await world.images.push('2', enforcing(working))
  wantImage(world, runs, { checks })
  await untilSeen(world, [machine], settledOn(runs))
  expect(await machine.shell.run('getenforce; cat /usr/lib/version')).toBe('Enforcing\n2')
})

it('comes back from an image whose health check fails', async () => {
  const digest = await world.images.push('3', enforcing(broken.checkFails))
  wantImage(world, digest, { checks, health: '40s' })
  await untilSeen(world, [machine], rolledBackFrom(digest, runs))
  expect(await machine.shell.run('getenforce; cat /usr/lib/version')).toBe('Enforcing\n2')
})
