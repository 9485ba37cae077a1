import { execa } from 'execa'
import { expect } from 'vitest'
import type { Preflight } from '../preflight.ts'
import type { Layout, TestMachine } from './machine.ts'
import { openTestMachine } from './machine.ts'
import type { AdoptWorld } from './world.ts'

export async function withMachine(
  layout: Layout,
  work: (machine: TestMachine) => Promise<void>,
): Promise<void> {
  const machine = await openTestMachine(layout)
  try {
    await work(machine)
  } finally {
    await machine.close()
  }
}

export async function fingerprintOf(world: AdoptWorld, machine: TestMachine): Promise<string> {
  const { lines } = await world.run('--dry-run', '--json', '--sysroot', machine.root, world.image)
  return (JSON.parse(lines[0] ?? '') as Preflight).fingerprint
}

/** Returns the fingerprint. */
export async function approve(world: AdoptWorld, machine: TestMachine): Promise<string> {
  const print = await fingerprintOf(world, machine)
  const done = await world.run('--approve', print, '--sysroot', machine.root, world.image)
  expect(done).toMatchObject({ status: 0, error: '' })
  return print
}

/** Every file with owner, mode and content, and every subvolume, the default first. Times of folders may differ. */
export async function lookAt(machine: TestMachine): Promise<readonly string[]> {
  const script = `find . -xdev -printf '%P %y %m %U %G %l\\n' | sort; find . -xdev -type f -exec sha256sum {} + | sort`
  const roots = await execa('findmnt', ['-Rno', 'TARGET', machine.root])
  const trees: string[] = (await machine.subvolumes()).map((line) => line.replaceAll(/gen \d+ /g, ''))
  // In one order: the table's own is that of the mounts.
  const places = roots.stdout.split('\n').map((line) => line.replace(/^[^/]*/, ''))
  for (const root of places.toSorted()) {
    const { stdout } = await execa('sh', ['-c', script], { cwd: root })
    trees.push(root.slice(machine.root.length), ...stdout.split('\n'))
  }
  return trees
}
