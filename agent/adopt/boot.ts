import { open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoaderFacts } from './facts.ts'
import type { Journal, SavedFile } from './journal.ts'

/** Files of the loader that an adoption, or what it installs, changes. */
export async function saveLoaderFiles(sysroot: string, loader: LoaderFacts): Promise<SavedFile[]> {
  const saved: SavedFile[] = []
  for (const path of pathsOf(loader)) {
    const content = await readFile(join(sysroot, path)).catch(() => null)
    saved.push({ path, content: content?.toString('base64') ?? null })
  }
  return saved
}

function pathsOf(loader: LoaderFacts): readonly string[] {
  switch (loader.kind) {
    case 'systemd-boot':
      return [join(loader.esp, 'loader/loader.conf')]
    case 'grub':
      return ['grub.cfg', 'custom.cfg', 'grubenv'].map((name) => join(loader.config, name))
    case 'other':
      return []
  }
}

/** Nothing boots otherwise by it, but where the line named what is not first anyway. */
export async function adoptLoader(sysroot: string, { loader, saved }: Journal): Promise<void> {
  if (loader.kind !== 'systemd-boot') return
  for (const { path, content } of saved) {
    const text = content === null ? '' : Buffer.from(content, 'base64').toString('utf8')
    if (withoutDefault(text) !== text) await replace(join(sysroot, path), withoutDefault(text))
  }
}

function withoutDefault(text: string): string {
  return text.replaceAll(/^default[ \t].*\n?/gm, '')
}

/** The loader as it was: no entry and no kernel of ours, and its files, where nobody else changed them since. */
export async function restoreLoader(sysroot: string, { loader, saved }: Journal): Promise<void> {
  const place = loader.kind === 'systemd-boot' ? loader.esp : loader.boot
  const entries = join(sysroot, place, 'loader/entries')
  for (const name of await readdir(entries).catch(() => []))
    if (name.startsWith('bootfleet-')) await rm(join(entries, name), { force: true })
  for (const file of saved) await restore(sysroot, file)
  await rm(join(sysroot, place, 'bootfleet'), { recursive: true, force: true })
  if (loader.kind === 'grub')
    await rm(join(sysroot, loader.config, 'bootfleet'), { recursive: true, force: true })
}

async function restore(sysroot: string, { path, content }: SavedFile): Promise<void> {
  const file = join(sysroot, path)
  const now = await readFile(file).catch(() => null)
  const before = content === null ? null : Buffer.from(content, 'base64')
  if (now === null || (before !== null && now.equals(before))) return
  const text = now.toString('latin1')
  const isOurs = text.includes('bootfleet') || text === withoutDefault(before?.toString('latin1') ?? '')
  if (!isOurs) return
  if (before === null) await rm(file)
  else await replace(file, before)
}

/** FAT takes no mode, so none is set. */
async function replace(path: string, content: string | Buffer): Promise<void> {
  const file = await open(`${path}.new`, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}
