import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { restoreLoader } from './boot.ts'
import type { Journal } from './journal.ts'
import { loaderDisk } from './loader-disk.ts'
import type { LoaderDisk } from './loader-disk.ts'

let sysroot = ''
let changes: string[] = []
beforeEach(async () => {
  sysroot = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-boot-'))
  changes = []
})
afterEach(async () => rm(sysroot, { recursive: true, force: true }))

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(sysroot, path)), { recursive: true })
  await writeFile(join(sysroot, path), text)
}

const noted = (what: string, path: string): void => void changes.push(`${what} ${path.slice(sysroot.length)}`)

const disk: LoaderDisk = {
  replace: async (path, content) => {
    noted('replace', path)
    await loaderDisk.replace(path, content)
  },
  remove: async (path) => {
    noted('remove', path)
    await loaderDisk.remove(path)
  },
  sync: async (folder) => noted('sync', folder),
}

const saved = (path: string, text: string | null): Journal['saved'] => [
  { path, content: text === null ? null : Buffer.from(text).toString('base64') },
]

const esp = { kind: 'systemd-boot', esp: '/efi', tries: 3 } as const
const grub = { kind: 'grub', boot: '/boot', config: '/boot/grub', tries: 3 } as const
const CUSTOM = '/boot/grub/custom.cfg'
const BLOCK = '### BEGIN bootfleet ###\nset bootfleet_device=\n### END bootfleet ###\n'

describe('the loader as it was', () => {
  test('is on disk before kernels go, and when it is said to be', async () => {
    await write('efi/loader/entries/bootfleet-1+3.conf', '')
    await write('efi/loader/entries/old.conf', '')
    await write('efi/loader/loader.conf', 'timeout 3\n')
    await write('efi/bootfleet/linux', '')
    await restoreLoader(
      sysroot,
      { loader: esp, saved: saved('/efi/loader/loader.conf', 'default old\ntimeout 3\n') },
      disk,
    )
    expect(changes).toEqual([
      'remove /efi/loader/entries/bootfleet-1+3.conf',
      'replace /efi/loader/loader.conf',
      'sync /efi',
      'remove /efi/bootfleet',
      'sync /efi',
    ])
    expect(await readdir(join(sysroot, 'efi/loader/entries'))).toEqual(['old.conf'])
    expect(await readFile(join(sysroot, 'efi/loader/loader.conf'), 'utf8')).toBe('default old\ntimeout 3\n')
  })

  test('keeps a loader.conf that somebody else changed since', async () => {
    await write('efi/loader/loader.conf', 'timeout 9 # bootfleet\n')
    await restoreLoader(
      sysroot,
      { loader: esp, saved: saved('/efi/loader/loader.conf', 'default old\ntimeout 3\n') },
      disk,
    )
    expect(changes).toEqual(['sync /efi', 'remove /efi/bootfleet', 'sync /efi'])
  })

  test.each([
    ['a file that was not there', null, BLOCK, null],
    ['lines that an admin added since', null, `mine=1\n${BLOCK}more=1\n`, 'mine=1\nmore=1\n'],
    ['a file without an end of line', 'mine=1', `mine=1\n${BLOCK}`, 'mine=1'],
    ['a file with no block', 'mine=1\n', 'bootfleet=1\n', 'bootfleet=1\n'],
    ['bytes that are no text', 'é\n', `é\n${BLOCK}`, 'é\n'],
  ])('has of custom.cfg only the block cut out: %s', async (_, before, now, after) => {
    await write(CUSTOM, now)
    await write('boot/grub/grub.cfg', 'bootfleet, written anew since\n')
    await restoreLoader(sysroot, { loader: grub, saved: saved(CUSTOM, before) }, disk)
    expect(await readFile(join(sysroot, CUSTOM), 'utf8').catch(() => null)).toBe(after)
    expect(await readFile(join(sysroot, 'boot/grub/grub.cfg'), 'utf8')).toContain('written anew')
    expect(changes.slice(-3)).toEqual(['sync /boot', 'remove /boot/bootfleet', 'sync /boot'])
  })
})
