import { readFile } from 'node:fs/promises'
import { SnapError } from '../errors.ts'
import type { EntryText } from './entry-text.ts'
import { resolveInside } from './inside-root.ts'
import { kernelLine } from './kernel-line.ts'
import type { BootDeployment } from './loader.ts'

export type EntryOptions = {
  /** Of the btrfs that holds the deployments; asked for only where an entry is written. */
  rootUuid: string | (() => Promise<string>)
  /** The machine's own; they come last, so that they win. */
  kernelArguments: readonly string[]
}

/** EFI's names of architectures: an entry for another one is not shown. */
const architectures: Readonly<Record<string, string>> = {
  x64: 'x64',
  arm64: 'aa64',
  ia32: 'ia32',
  riscv64: 'riscv64',
}

/** What an entry says besides its kernel and its activation. */
export async function describeEntry(
  deployment: BootDeployment,
  { rootUuid, kernelArguments }: EntryOptions,
): Promise<Pick<EntryText, 'title' | 'architecture' | 'options' | 'deploymentId'>> {
  const { id, root, subvolume } = deployment
  if (!/^[A-Za-z0-9@._/-]+$/.test(subvolume)) {
    throw new SnapError(
      'refused',
      `write the entry of ${id}: its subvolume ${subvolume} fits on no kernel line`,
    )
  }
  const line = await kernelLine(deployment, kernelArguments)
  const uuid = typeof rootUuid === 'string' ? rootUuid : await rootUuid()
  return {
    title: await systemTitle(root),
    architecture: architectures[process.arch] ?? null,
    options: [
      `root=UUID=${uuid}`,
      `rootflags=subvol=${subvolume}`,
      'rw',
      ...line.map((one) => one.argument),
    ].join(' '),
    deploymentId: id,
  }
}

/** The name with its version, which some names have in them already. */
async function systemTitle(root: string): Promise<string> {
  const file =
    (await resolveInside(root, 'etc/os-release')) ?? (await resolveInside(root, 'usr/lib/os-release'))
  const text = file === null ? '' : await readFile(file, 'utf8')
  const field = (name: string): string | undefined => {
    const value = new RegExp(`^${name}=(["']?)(.*)\\1[ \\t]*$`, 'm')
      .exec(text)?.[2]
      ?.replaceAll(/\\(.)/g, '$1')
    return value === undefined || /[^\x20-\x7e\u00a0-\uffff]/.test(value) ? undefined : value.trim()
  }
  const name = field('PRETTY_NAME') || field('NAME') || field('ID') || 'Linux'
  const version = field('IMAGE_VERSION') || field('VERSION_ID') || ''
  return name.includes(version) ? name : `${name} ${version}`
}
