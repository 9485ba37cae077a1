import { join } from 'node:path'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'
import type { MachineConfig } from '../machine.ts'
import { openGrub } from './grub.ts'
import type { Loader } from './loader.ts'
import { noLoader } from './loader.ts'
import { openSystemdBoot } from './systemd-boot.ts'
import { openTukitGrub2 } from './tukit-grub2.ts'

/** The loader of this machine, as machine.json names it. */
export async function openLoader(context: Context, machine: MachineConfig): Promise<Loader> {
  const { loader, kernelArguments } = machine
  switch (loader.kind) {
    case 'none':
      return noLoader
    case 'systemd-boot':
      return openSystemdBoot(context, {
        espDirectory: join(context.paths.sysroot, loader.esp),
        tries: loader.tries,
        rootUuid: async () => fileSystemUuid(context),
        kernelArguments,
      })
    case 'grub':
      return openGrub(context, {
        bootDirectory: join(context.paths.sysroot, loader.boot),
        configDirectory: join(context.paths.sysroot, loader.config),
        tries: loader.tries,
        unguarded: loader.unguarded,
        rootUuid: async () => fileSystemUuid(context),
        kernelArguments,
      })
    case 'tukit-grub2':
      return openTukitGrub2(context, context.paths.sysroot)
  }
}

/** Of the btrfs that holds the store: its root may be an overlay. */
export async function fileSystemUuid({ paths, signal }: Pick<Context, 'paths' | 'signal'>): Promise<string> {
  const attempt = `read the file system UUID of ${paths.base}`
  const text = await run(['findmnt', '--noheadings', '--output', 'UUID', '--target', paths.base], {
    signal,
    attempt,
  })
  const uuid = text.trim().split('\n').at(-1) ?? ''
  if (/^[0-9a-f-]{36}$/.test(uuid)) return uuid
  throw new SnapError('storage-failed', `${attempt}: findmnt says ${JSON.stringify(text.trim())}`)
}
