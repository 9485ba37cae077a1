import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findSystemdBoot, prepareEsp } from './prepare-esp.ts'

const context = { signal: new AbortController().signal }

describe('a prepared ESP', () => {
  let base = ''
  let esp = ''
  let program = ''
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'container-snap-esp-'))
    esp = join(base, 'esp')
    program = join(base, 'systemd-bootx64.efi')
    await mkdir(esp)
    await writeFile(program, 'loader 1')
  })
  afterEach(async () => rm(base, { recursive: true, force: true }))

  test('starts systemd-boot by its own name and by the one that firmware falls back to', async () => {
    await prepareEsp(context, esp, program)
    expect((await readdir(esp, { recursive: true })).toSorted()).toEqual([
      'EFI',
      'EFI/BOOT',
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/systemd',
      'EFI/systemd/systemd-bootx64.efi',
      'bootfleet',
      'loader',
      'loader/entries',
      'loader/entries.srel',
      'loader/loader.conf',
    ])
    expect(await readFile(join(esp, 'EFI/BOOT/BOOTX64.EFI'), 'utf8')).toBe('loader 1')
    expect(await readFile(join(esp, 'loader/entries.srel'), 'utf8')).toBe('type1\n')
    expect(await readFile(join(esp, 'loader/loader.conf'), 'utf8')).toBe('timeout 3\n')
  })

  test('keeps its settings when it is prepared again, and gets the newer program', async () => {
    await prepareEsp(context, esp, program)
    await writeFile(join(esp, 'loader/loader.conf'), 'timeout 0\n')
    await writeFile(program, 'loader 2')
    await prepareEsp(context, esp, program)
    expect(await readFile(join(esp, 'loader/loader.conf'), 'utf8')).toBe('timeout 0\n')
    expect(await readFile(join(esp, 'EFI/systemd/systemd-bootx64.efi'), 'utf8')).toBe('loader 2')
  })

  test('its program comes from the image, and one without it is refused', async () => {
    const arch = process.arch === 'arm64' ? 'aa64' : 'x64'
    await expect(findSystemdBoot(base)).rejects.toMatchObject({
      code: 'refused',
      message: `find systemd-boot in ${base}: no /usr/lib/systemd/boot/efi/systemd-boot${arch}.efi; install systemd-boot in the image`,
    })
    const folder = join(base, 'usr/lib/systemd/boot/efi')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, `systemd-boot${arch}.efi`), 'x')
    expect(await findSystemdBoot(base)).toBe(join(folder, `systemd-boot${arch}.efi`))
  })
})
