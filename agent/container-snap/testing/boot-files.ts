import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { BootDeployment, KnownDeployment } from '../boot/loader.ts'
import type { SystemdBootOptions } from '../boot/systemd-boot.ts'

/** Roots with a kernel in them, and a file system that stands for the ESP. */
export type BootFiles = {
  esp: string
  options: SystemdBootOptions
  deployment: (
    letter: string,
    number: number,
    files?: Readonly<Record<string, string>>,
  ) => Promise<BootDeployment>
  /** Names of the entries. */
  entries: () => Promise<string[]>
  /** All files on the ESP but the loader's own: path to content. */
  content: () => Promise<Record<string, string>>
  close: () => Promise<void>
}

export async function openBootFiles(espKiB = 4096): Promise<BootFiles> {
  const base = await mkdtemp(join(tmpdir(), 'container-snap-boot-'))
  const esp = join(base, 'esp')
  await mkdir(esp)
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${espKiB}k`, 'tmpfs', esp])
  await mkdir(join(esp, 'loader/entries'), { recursive: true })
  const deployment: BootFiles['deployment'] = async (letter, number, files = systemOf(letter)) => {
    const root = join(base, `${letter.slice(0, 16)}-${number}`)
    await writeFiles(root, files)
    const imageId = letter.padEnd(64, letter.slice(-1))
    return {
      id: `${imageId}-work${number}`,
      imageId,
      number,
      root,
      subvolume: `@var/store/${letter}-work${number}`,
    }
  }
  return {
    esp,
    options: { espDirectory: esp, tries: 3, kernelArguments: ['panic=10'], rootUuid: 'f00d' },
    deployment,
    entries: async () => (await readdir(join(esp, 'loader/entries'))).toSorted(),
    content: async () => readFiles(esp),
    close: async () => {
      await execa('umount', [esp])
      await rm(base, { recursive: true, force: true })
    },
  }
}

/** A Debian-like tree whose kernel is its own. */
export function systemOf(version: string): Readonly<Record<string, string>> {
  return {
    'usr/lib/os-release': `PRETTY_NAME="Tiny Linux ${version}"\nVERSION_ID=${version}\n`,
    'boot/vmlinuz-6.12': `kernel of ${version}`,
    'boot/initrd.img-6.12': `initrd of ${version}`,
  }
}

export async function writeFiles(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
}

async function readFiles(root: string): Promise<Record<string, string>> {
  const found = await readdir(root, { withFileTypes: true, recursive: true })
  const files = found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  const pairs = files.map(
    async (file) => [file.slice(root.length + 1), await readFile(file, 'utf8')] as const,
  )
  return Object.fromEntries(await Promise.all(pairs))
}

/** As the ledger would have it where nothing else is said. */
export function known(deployment: BootDeployment, facts: Partial<KnownDeployment> = {}): KnownDeployment {
  return { ...deployment, activation: null, blessed: false, bad: false, current: false, ...facts }
}
