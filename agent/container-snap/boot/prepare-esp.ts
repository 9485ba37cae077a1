import { mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { hashFile, openEspDisk } from './esp-disk.ts'
import { resolveInside } from './inside-root.ts'
import { kernelsFolder } from './kernel-files.ts'

const programs: Readonly<Record<string, string>> = { x64: 'x64', arm64: 'aa64' }

/** The boot loader's program in an image's tree. */
export async function findSystemdBoot(root: string): Promise<string> {
  const path = `usr/lib/systemd/boot/efi/systemd-boot${programs[process.arch] ?? process.arch}.efi`
  const file = await resolveInside(root, path)
  if (file !== null) return file
  throw new SnapError(
    'refused',
    `find systemd-boot in ${root}: no /${path}; install systemd-boot in the image`,
  )
}

/**
 * Makes a folder, which is or becomes an EFI system partition, one that starts systemd-boot. Its settings are
 * written only where there are none: they are the machine's.
 */
export async function prepareEsp(
  context: Pick<Context, 'signal'>,
  espDirectory: string,
  systemdBootEfi: string,
): Promise<void> {
  const disk = openEspDisk(context)
  const program = basename(systemdBootEfi)
  const architecture = /^systemd-boot([a-z0-9]+)\.efi$/.exec(program)?.[1]
  if (architecture === undefined) {
    throw new SnapError(
      'refused',
      `prepare ${espDirectory}: ${systemdBootEfi} is not called systemd-bootARCH.efi`,
    )
  }
  const sha256 = await hashFile(systemdBootEfi)
  const place = async (path: string, write: (unfinished: string) => Promise<void>): Promise<void> => {
    const file = join(espDirectory, path)
    await mkdir(join(file, '..'), { recursive: true })
    await write(`${file}.tmp`)
    await disk.rename(`${file}.tmp`, file)
    await disk.sync(join(file, '..'))
  }
  const settle = async (path: string, text: string): Promise<void> => {
    if (!(await isThere(join(espDirectory, path)))) await place(path, async (file) => disk.write(file, text))
  }
  await mkdir(join(espDirectory, kernelsFolder), { recursive: true })
  await mkdir(join(espDirectory, 'loader/entries'), { recursive: true })
  await settle('loader/entries.srel', 'type1\n')
  // No `default`: the loader would start it even where it is known to be bad.
  await settle('loader/loader.conf', 'timeout 3\n')
  for (const path of [`EFI/systemd/${program}`, `EFI/BOOT/BOOT${architecture.toUpperCase()}.EFI`]) {
    await place(path, async (file) => disk.copy(systemdBootEfi, file, sha256))
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
