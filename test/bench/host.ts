import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { openRegistry, systemTree } from '../../agent/container-snap/testing/registry.ts'
import type { Files, Registry } from '../../agent/container-snap/testing/registry.ts'
import { openSysroot } from '../../agent/container-snap/testing/sysroot.ts'
import type { Sysroot } from '../../agent/container-snap/testing/sysroot.ts'
import { activationFigure } from './activation.ts'
import type { Figure } from './figures.ts'
import { inTurns, render } from './figures.ts'
import { bytesWritten } from './written.ts'

/*
 * What container-snap and the agent cost, each beside what a person would run instead, in one run on one disk.
 * Times are medians; the two sides take turns, so that a busy machine slows both.
 */

const rounds = 5
const program = join(import.meta.dirname, '../../dist/container-snap')
const mib = 1024 * 1024

type Bench = {
  disk: Sysroot
  registry: Registry
  snap: (...args: string[]) => Promise<string>
  /** podman takes no run root with a path of more than 50 characters. */
  runRoot: string
}

async function openBench(sizeMiB: number): Promise<Bench> {
  const registry = await openRegistry()
  const disk = await openSysroot(sizeMiB)
  const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
  const snap = async (...args: string[]): Promise<string> =>
    (await execa(program, ['--sysroot', disk.directory, ...args], { env })).stdout.trim()
  return { disk, registry, snap, runRoot: await mkdtemp(join(tmpdir(), 'bench-')) }
}

async function closeBench({ disk, registry, runRoot }: Bench): Promise<void> {
  await disk.close()
  await registry.close()
  await rm(runRoot, { recursive: true, force: true })
}

/** Many files of some size, as a system has them, and nothing that could be compressed. */
function payload(folder: string, files: number, sizeBytes: number): Files {
  return Object.fromEntries(
    Array.from({ length: files }, (_, index) => [`usr/lib/${folder}/${index}`, randomBytes(sizeBytes)]),
  )
}

async function install({ disk, snap }: Bench, image: string): Promise<void> {
  const { imageId } = JSON.parse(await snap('--json', 'pull', `docker://${image}`)) as { imageId: string }
  await snap('switch', await snap('create-snapshot', imageId))
  await disk.reboot()
}

/** What there was before: podman keeps the layers, a person makes the copy. */
async function deployByHand({ disk, registry, runRoot }: Bench, image: string, copy: string): Promise<void> {
  const root = join(disk.store, '../podman')
  const place = ['--root', root, '--runroot', runRoot, '--storage-driver', 'btrfs']
  // On a host /var/tmp is on the same disk as the store; podman keeps each blob there while it comes in.
  const scratch = join(disk.store, '../podman-tmp')
  await mkdir(scratch, { recursive: true })
  const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf, TMPDIR: scratch }
  const id = (await execa('podman', [...place, 'pull', '--quiet', image], { env })).stdout.trim()
  const stored = JSON.parse(await readFile(join(root, 'btrfs-images/images.json'), 'utf8')) as {
    id: string
    layer: string
  }[]
  const layer = stored.find((one) => one.id === id)?.layer ?? ''
  const subvolumes = join(root, 'btrfs/subvolumes')
  await execa('btrfs', ['subvolume', 'snapshot', join(subvolumes, layer), join(subvolumes, copy)])
  await execa('sync', ['-f', subvolumes])
}

async function deployFigure(): Promise<Figure> {
  const bench = await openBench(8192)
  try {
    const { registry, snap } = bench
    const shared: Files = { ...systemTree('0'), ...payload('shared', 2400, 128 * 1024) }
    const name = (version: number): string => `${registry.address}/os/edge:${version}`
    for (let version = 0; version <= rounds; version += 1) {
      const own: Files = { ...systemTree(`${version}`), ...payload('own', 2048, 128 * 1024) }
      await registry.push(`os/edge:${version}`, [shared, own])
    }
    await install(bench, name(0))
    await deployByHand(bench, name(0), 'copy-0')
    const deploy = async (version: number): Promise<void> => {
      const pulled = JSON.parse(await snap('--json', 'pull', `docker://${name(version)}`)) as {
        imageId: string
      }
      await snap('deploy', pulled.imageId)
    }
    const times = await inTurns(rounds, {
      ours: (round) => deploy(round),
      theirs: (round) => deployByHand(bench, name(round), `copy-${round}`),
    })
    return {
      name: 'deploy 556 MiB of which 300 are here',
      ...times,
      unit: 'ms',
      limit: 1.15,
      against: 'podman pull + btrfs subvolume snapshot + sync -f',
    }
  } finally {
    await closeBench(bench)
  }
}

async function writtenFigure(): Promise<Figure> {
  const bench = await openBench(4096)
  try {
    const { disk, registry, snap } = bench
    const base: Files = { ...systemTree('1'), ...payload('shared', 600, mib) }
    const changedBytes = 16 * mib
    await registry.push('os/large:1', [base])
    await registry.push('os/large:2', [base, { 'usr/lib/shared/1': randomBytes(changedBytes) }])
    await install(bench, `${registry.address}/os/large:1`)
    await execa('sync', ['-f', disk.directory])
    const writtenBytes = await bytesWritten(disk.directory, async () => {
      const image = `docker://${registry.address}/os/large:2`
      const { imageId } = JSON.parse(await snap('--json', 'pull', image)) as { imageId: string }
      await snap('deploy', imageId)
      await execa('sync', ['-f', disk.directory])
    })
    return {
      name: 'bytes written, one file changed in 600 MiB',
      ours: writtenBytes / mib,
      theirs: changedBytes / mib,
      unit: 'MiB',
      limit: 1.5,
      against: 'the size of the changed layer',
    }
  } finally {
    await closeBench(bench)
  }
}

async function getCurrentFigure(): Promise<Figure> {
  const bench = await openBench(512)
  try {
    const { registry, snap } = bench
    await registry.push('os/small:1', [systemTree('1')])
    await install(bench, `${registry.address}/os/small:1`)
    const times = await inTurns(rounds * 4, {
      ours: () => snap('get-current'),
      theirs: () => execa('node', ['-e', '0']),
    })
    return {
      name: 'container-snap get-current',
      ...times,
      unit: 'ms',
      limit: 1.5,
      against: 'node -e 0',
    }
  } finally {
    await closeBench(bench)
  }
}

const figures = [
  await getCurrentFigure(),
  await deployFigure(),
  await activationFigure(program, rounds),
  await writtenFigure(),
]
const { text, ok } = render(figures)
process.stdout.write(text)
process.exitCode = ok ? 0 : 1
