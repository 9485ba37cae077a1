import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { settledOn, untilSeen, wantImage } from '../../support/vm/fleet.ts'
import { text } from '../../support/vm/host-images.ts'
import type { Machine } from '../../support/vm/machine.ts'
import { working } from '../../support/vm/versions.ts'
import { openWorld } from '../../support/vm/world.ts'
import type { World } from '../../support/vm/world.ts'

let world: World
let machine: Machine

beforeAll(async () => {
  world = await openWorld()
  const first = await world.images.push('1', working)
  wantImage(world, first)
  machine = await world.machine('till-1', first)
  await machine.start()
  await untilSeen(world, [machine], settledOn(first))
})

afterAll(async () => {
  await world.close()
})

const store = '/var/lib/container-snap/snapshots/btrfs/subvolumes'

/** Returns in the moment that a shell condition holds; `$n` is what `count` was before the commit. */
const inGuest =
  (count: string, condition: string): (() => Promise<() => Promise<unknown>>) =>
  async () => {
    const before = (await machine.shell.run(count)).trim()
    return () =>
      machine.shell.run(
        `n=${before}; until [ ${condition.replace('COUNT', `$(${count})`)} ]; do sleep 0.05; done`,
        600_000,
      )
  }

const more = 'COUNT -gt $n'
const moments = {
  'in the pull': inGuest(`grep -lsx skopeo /proc/[0-9]*/comm | wc -l`, more),
  'in the pull, as layers are unpacked': inGuest(`ls -d ${store}/* | grep -cv work`, more),
  'in the staging, as the copy is made': inGuest(`ls -d ${store}/*-work* | wc -l`, more),
  'as the entry is written': inGuest('ls /efi/loader/entries | wc -l', more),
  'as the new entry is made the next to boot': inGuest(
    'ls /efi/loader/entries | grep -c +3-0.conf$ || true',
    more,
  ),
} as const

async function bootedAgain(before: number): Promise<void> {
  for (let tries = 0; (await machine.boots()) === before && tries < 6_000; tries += 1) await sleep(100)
}

/** The version that runs in the end. */
async function arriveThrough(version: string, cut: () => Promise<unknown>): Promise<string> {
  // Noise, so that the layer takes its time.
  const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('\n')
  const digest = await world.images.push(version, { ...working, 'usr/share/noise': text(noise) })
  wantImage(world, digest)
  await cut()
  await machine.cutPower()
  await machine.start()
  await untilSeen(world, [machine], settledOn(digest))
  return (await machine.shell.run('cat /usr/lib/version')).trim()
}

it.each(Object.keys(moments) as (keyof typeof moments)[])(
  'ends on the new version when the power is cut %s',
  async (moment) => {
    const version = `cut-${Object.keys(moments).indexOf(moment)}`
    expect(await arriveThrough(version, await moments[moment]())).toBe(version)
  },
)

it.each([0, 3, 10])(
  'ends on the new version when the power is cut %i s into its first boot',
  async (seconds) => {
    const before = await machine.boots()
    const version = `cut-boot-${seconds}`
    const cut = async (): Promise<void> => {
      await bootedAgain(before)
      await sleep(seconds * 1000)
    }
    expect(await arriveThrough(version, cut)).toBe(version)
  },
)
