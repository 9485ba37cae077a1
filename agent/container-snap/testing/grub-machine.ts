import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { bootByGrub } from './grub-firmware.ts'

/** A machine's /boot, ext4 on a device of its own, and what GRUB makes of it. */
export type GrubMachine = {
  device: string
  chooseSubvolume: (bootDirectory: string) => Promise<string>
  /** Of what was chosen last. */
  kernelLine: () => string
  close: () => Promise<void>
}

export async function openGrubMachine(): Promise<GrubMachine> {
  const base = await mkdtemp(join(tmpdir(), 'container-snap-grub-machine-'))
  const file = join(base, 'boot.img')
  await writeFile(file, '')
  await truncate(file, 32 * 1024 * 1024)
  await execa('mkfs.ext4', ['-q', file])
  const device = (await execa('losetup', ['--find', '--show', file])).stdout
  let line = ''
  return {
    device,
    chooseSubvolume: async (bootDirectory) => {
      const booted = await bootByGrub(bootDirectory)
      if (booted === null) throw new Error(`${bootDirectory}: nothing of ours to boot`)
      line = booted.options
      return basename(/rootflags=subvol=(\S+)/.exec(line)?.[1] ?? '')
    },
    kernelLine: () => line,
    close: async () => {
      await execa('losetup', ['--detach', device])
      await rm(base, { recursive: true, force: true })
    },
  }
}

/** What a distribution's grub.cfg has in it for us; the program is Debian's own. */
export async function writeGrubConfig(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const { stdout } = await execa('/etc/grub.d/41_custom', [])
  await writeFile(join(directory, 'grub.cfg'), `set default="0"\n${stdout}\n`)
}
