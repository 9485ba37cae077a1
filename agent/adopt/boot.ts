import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoaderFacts } from './facts.ts'
import type { Journal, SavedFile } from './journal.ts'
import type { LoaderDisk } from './loader-disk.ts'
import { loaderDisk } from './loader-disk.ts'

/** Files of the loader that an adoption, or what it installs, changes. */
export async function saveLoaderFiles(sysroot: string, loader: LoaderFacts): Promise<SavedFile[]> {
  const path = loader.kind === 'other' ? null : changedFile(loader)
  if (path === null) return []
  const content = await readFile(join(sysroot, path)).catch(() => null)
  return [{ path, content: content?.toString('base64') ?? null }]
}

type Place = { kind: 'systemd-boot'; esp: string } | { kind: 'grub'; config: string }

function changedFile(loader: Place): string {
  switch (loader.kind) {
    case 'systemd-boot':
      return join(loader.esp, 'loader/loader.conf')
    case 'grub':
      return join(loader.config, 'custom.cfg')
  }
}

/** Where the loader's files are mounted. */
export function loaderPlace({ loader }: Pick<Journal, 'loader'>): string {
  return loader.kind === 'systemd-boot' ? loader.esp : loader.boot
}

/** Nothing boots otherwise by it, but where the line named what is not first anyway. */
export async function adoptLoader(sysroot: string, { loader, saved }: Journal): Promise<void> {
  if (loader.kind !== 'systemd-boot') return
  for (const { path, content } of saved) {
    const text = content === null ? '' : Buffer.from(content, 'base64').toString('latin1')
    if (withoutDefault(text) === text) continue
    await loaderDisk.replace(join(sysroot, path), Buffer.from(withoutDefault(text), 'latin1'))
    await loaderDisk.sync(join(sysroot, loader.esp))
  }
}

function withoutDefault(text: string): string {
  return text.replaceAll(/^default[ \t].*\n?/gm, '')
}

/**
 * The loader as it was, on disk when it returns: no entry and no kernel of ours, and its files, where nobody else
 * changed them since. Kernels go when nothing on disk names them any more.
 */
export async function restoreLoader(
  sysroot: string,
  journal: Pick<Journal, 'loader' | 'saved'>,
  disk: LoaderDisk = loaderDisk,
): Promise<void> {
  const { loader, saved } = journal
  const place = join(sysroot, loaderPlace(journal))
  const entries = join(place, 'loader/entries')
  for (const name of await readdir(entries).catch(() => []))
    if (name.startsWith('bootfleet-')) await disk.remove(join(entries, name))
  const path = changedFile(loader)
  const content = saved.find((one) => one.path === path)?.content ?? null
  await restore(join(sysroot, path), { kind: loader.kind, content }, disk)
  await disk.sync(place)
  await disk.remove(join(place, 'bootfleet'))
  await disk.sync(place)
}

type Before = { readonly kind: Journal['loader']['kind']; readonly content: string | null }

async function restore(file: string, { kind, content }: Before, disk: LoaderDisk): Promise<void> {
  const now = await readFile(file, 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (now === null) return
  const before = content === null ? null : Buffer.from(content, 'base64').toString('latin1')
  const wanted = kind === 'grub' ? withoutBlock(now, before) : withDefault(now, before)
  if (wanted === null) await disk.remove(file)
  else if (wanted !== now) await disk.replace(file, Buffer.from(wanted, 'latin1'))
}

/** As container-snap marks what it writes into custom.cfg. */
const BLOCK = /(^|\n)### BEGIN bootfleet ###\n(?:.*\n)*?### END bootfleet ###(?:\n|$)/

/** What others wrote stays, whenever they did; null where nothing is left of a file that was not there. */
function withoutBlock(now: string, before: string | null): string | null {
  const others = now.replace(BLOCK, '$1')
  if (others === '' && before === null) return null
  // The block begins on a line of its own.
  return others === `${before}\n` ? before : others
}

function withDefault(now: string, before: string | null): string {
  return before !== null && now === withoutDefault(before) ? before : now
}
