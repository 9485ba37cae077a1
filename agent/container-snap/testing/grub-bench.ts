import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { EspDisk } from '../boot/esp-disk.ts'
import { openEspDisk } from '../boot/esp-disk.ts'
import type { GrubOptions } from '../boot/grub.ts'
import { openGrub } from '../boot/grub.ts'
import type { Loader } from '../boot/loader.ts'
import type { BootFiles } from './boot-files.ts'
import { openBootFiles } from './boot-files.ts'
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
