import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { EspDisk } from '../boot/esp-disk.ts'
import { openEspDisk } from '../boot/esp-disk.ts'
import type { GrubOptions } from '../boot/grub.ts'
import { openGrub } from '../boot/grub.ts'
import type { BootDeployment, Loader } from '../boot/loader.ts'
import type { BootFiles } from './boot-files.ts'
import { openBootFiles } from './boot-files.ts'
import { bootByGrub } from './grub-firmware.ts'
import { writeGrubConfig } from './grub-machine.ts'

/** Roots with a kernel in them, and a file system that stands for one that GRUB can write. */
export type GrubBench = {
  files: BootFiles
  /** The folder of grub.cfg. */
  config: string
  open: (change?: { unwritable?: string; unguarded?: boolean; disk?: EspDisk }) => Loader
  openAt: (bootDirectory: string) => Loader
}

const signal = new AbortController().signal

export async function openGrubBench(): Promise<GrubBench> {
  const files = await openBootFiles()
  await rm(join(files.esp, 'loader'), { recursive: true })
  const config = join(dirname(files.esp), 'grub')
  await writeGrubConfig(config)
  const options: GrubOptions = {
    bootDirectory: files.esp,
    configDirectory: config,
    tries: 3,
    unguarded: false,
    rootUuid: 'f00d',
    bootUuid: '0000-F00D',
    kernelArguments: ['panic=10'],
  }
  return {
    files,
    config,
    open: ({ unwritable = null, unguarded = false, disk = openEspDisk({ signal }) } = {}) =>
      openGrub(
        { signal },
        { ...options, unguarded, disk, inspect: async () => ({ module: 'ext2', prefix: '', unwritable }) },
      ),
    openAt: (bootDirectory) => openGrub({ signal }, { ...options, bootDirectory }),
  }
}

/** With two deployments to boot. */
export type GrubPair = GrubBench & {
  loader: Loader
  one: BootDeployment
  two: BootDeployment
  /** Of what GRUB boots next, as it counts the try; null: the machine's own menu. */
  subvolume: () => Promise<string | null>
  /** So many boots, one after the other. */
  boots: (count: number) => Promise<(string | null)[]>
}

export async function openGrubPair(): Promise<GrubPair> {
  const bench = await openGrubBench()
  const { files } = bench
  const subvolume = async (): Promise<string | null> => {
    const booted = await bootByGrub(files.esp)
    return booted === null ? null : (/subvol=@var\/store\/(\S+)/.exec(booted.options)?.[1] ?? '')
  }
  const boots = async (count: number): Promise<(string | null)[]> => {
    const seen: (string | null)[] = []
    for (let left = count; left > 0; left -= 1) seen.push(await subvolume())
    return seen
  }
  const [one, two] = [await files.deployment('a', 1), await files.deployment('b', 1)]
  return { ...bench, loader: bench.open(), one, two, subvolume, boots }
}
