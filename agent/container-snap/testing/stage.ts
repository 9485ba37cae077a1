import { readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ledger } from '../ledger.ts'
import type { Front } from './front.ts'
import { openFront } from './front.ts'
import type { Program } from './program.ts'
import { openProgram } from './program.ts'
import type { Registry } from './registry.ts'
import { openRegistry } from './registry.ts'
import type { Sysroot } from './sysroot.ts'

/** What a pull needs but a disk: a registry, a front that can stall it, and the program. */
export type Stage = { registry: Registry; front: Front; program: Program; close: () => Promise<void> }

export async function openStage(): Promise<Stage> {
  const front = await openFront()
  const registry = await openRegistry([front.address])
  front.forwardTo(registry.address)
  const program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
  const close = async (): Promise<void> => {
    await program.close()
    await registry.close()
    await front.close()
  }
  return { registry, front, program, close }
}

export type Pulled = {
  event: string
  imageId: string
  digest: string
  manifestDigest: string
  sizeBytes: number
}

export async function readLedger(store: string): Promise<Ledger> {
  return JSON.parse(await readFile(join(store, 'ledger.json'), 'utf8')) as Ledger
}

/** Layers that are unpacked; while that goes on they are listed too, with a flag. */
export async function layerIds(store: string): Promise<string[]> {
  const text = await readFile(join(store, 'snapshots/btrfs-layers/layers.json'), 'utf8').catch(() => '[]')
  const layers = JSON.parse(text) as { id: string; flags?: { incomplete?: boolean } }[]
  return layers.filter((layer) => layer.flags?.incomplete !== true).map((layer) => layer.id)
}

export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 4_000; attempt += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`never: ${what}`)
}

/** A killed pull's skopeo dies with it; the kernel needs a moment for that, and for its mounts another. */
export async function writersGone(sysroot: Sysroot): Promise<void> {
  await eventually(`no process names ${sysroot.store}`, async () => !(await isNamedByProcess(sysroot.store)))
  await eventually(`${sysroot.directory} can be unmounted`, async () =>
    sysroot.unmount().then(
      () => true,
      () => false,
    ),
  )
  await sysroot.mount()
}

/** The kernel ends a killed process's children a moment later: `flock` holds its file that long. */
export async function filesClosed(directory: string): Promise<void> {
  await eventually(`no file below ${directory} is open`, async () => {
    for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const open = await readdir(`/proc/${id}/fd`).catch(() => [])
      for (const file of open) {
        const target = await readlink(`/proc/${id}/fd/${file}`).catch(() => '')
        if (target.startsWith(`${directory}/`)) return false
      }
    }
    return true
  })
}

async function isNamedByProcess(text: string): Promise<boolean> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    if (commandLine.includes(text)) return true
  }
  return false
}
