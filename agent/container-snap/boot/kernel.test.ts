import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeFiles } from '../testing/boot-files.ts'
import { resolveInside } from './inside-root.ts'
import { imageKernelArguments, parseKernelArguments } from './kernel-arguments.ts'
import { findKernel } from './kernel.ts'

describe("an image's kernel", () => {
  let root = ''
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'container-snap-kernel-'))
  })
  afterEach(async () => rm(root, { recursive: true, force: true }))

  test.each([
    ['usr/lib/modules/6.1/vmlinuz', 'usr/lib/modules/6.1/initrd'],
    ['usr/lib/modules/6.1/vmlinuz', 'usr/lib/modules/6.1/initramfs.img'],
    ['boot/vmlinuz-6.1', 'boot/initrd.img-6.1'],
    ['boot/vmlinuz-6.1', 'boot/initrd-6.1'],
    ['boot/vmlinuz-6.1', 'boot/initramfs-6.1.img'],
    ['usr/lib/modules/6.1/vmlinuz', 'boot/initrd-6.1'],
  ])('is found at %s with %s', async (linux, initrd) => {
    await writeFiles(root, { [linux]: 'kernel', [initrd]: 'initrd', 'usr/lib/modules/6.1/modules.dep': '' })
    expect(await findKernel(root)).toEqual({
      version: '6.1',
      linux: join(root, linux),
      initrd: join(root, initrd),
    })
  })

  test('that lies in both places, one a link to the other, is one', async () => {
    await writeFiles(root, { 'usr/lib/modules/6.1/vmlinuz': 'kernel', 'boot/initrd-6.1': 'initrd' })
    await symlink('../usr/lib/modules/6.1/vmlinuz', join(root, 'boot/vmlinuz-6.1'))
    await symlink('vmlinuz-6.1', join(root, 'boot/vmlinuz'))
    expect((await findKernel(root)).linux).toBe(join(root, 'usr/lib/modules/6.1/vmlinuz'))
  })

  test("behind an absolute link is the image's own, never the running system's", async () => {
    await writeFiles(root, { 'usr/share/kernel': 'kernel', 'boot/initrd-6.1': 'initrd' })
    await symlink('/usr/share/kernel', join(root, 'boot/vmlinuz-6.1'))
    expect((await findKernel(root)).linux).toBe(join(root, 'usr/share/kernel'))
    await symlink('/etc', join(root, 'outside'))
    expect(await resolveInside(root, 'outside/passwd')).toBeNull()
    expect(await resolveInside(root, '../../../etc/passwd')).toBeNull()
    await symlink('round', join(root, 'round'))
    expect(await resolveInside(root, 'round')).toBeNull()
  })

  test('has the arguments of all files in order, of its architecture', async () => {
    const mine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
    await writeFiles(root, {
      'usr/lib/bootc/kargs.d/20-b.toml': 'kargs = ["second"]\n',
      'usr/lib/bootc/kargs.d/10-a.toml': `match-architectures = ["${mine}", "riscv64"]\nkargs = ["first"]\n`,
      'usr/lib/bootc/kargs.d/30-c.toml': 'kargs = ["never"]\nmatch-architectures = ["s390x"]\n',
      'usr/lib/bootc/kargs.d/README': 'no arguments here',
    })
    expect(await imageKernelArguments(root)).toEqual(['first', 'second'])
    await mkdir(join(root, 'empty'))
    expect(await imageKernelArguments(join(root, 'empty'))).toEqual([])
  })
})

describe('a file of kernel arguments', () => {
  test.each([
    ['kargs = []', []],
    [
      '# comment\n\nkargs=[\n  "console=ttyS0,115200n8", # the last\n  \'quiet\',\n]\n',
      ['console=ttyS0,115200n8', 'quiet'],
    ],
    ['kargs = ["a=\\"b c\\""]', ['a="b c"']],
  ])('%j', (text, kargs) => {
    expect(parseKernelArguments(text, '/f.toml').kargs).toEqual(kargs)
  })

  test.each([
    ['', 'no kargs in it'],
    ['karg = ["a"]', 'unknown key karg'],
    ['[table]\nkargs = []', 'unknown key ['],
    ['kargs = "a"', 'kargs is not a list'],
    ['kargs = ["a"', 'a list of texts does not end'],
    ['kargs = ["a" "b"]', 'a list of texts does not end'],
    ['kargs = [1]', 'a list of texts does not end'],
    ['kargs = ["a"]\nkargs = ["b"]', 'kargs is there twice'],
    ['\n\n%', 'line 3 is not understood'],
    ['kargs = ["a\\nlinux /evil"]', '"a\\nlinux /evil" is no kernel argument'],
    ['kargs = [" "]', '" " is no kernel argument'],
    ['kargs = ["\\q"]', '"\\q" is no text'],
  ])('%j is refused by name', (text, found) => {
    const advice = 'it may hold kargs = ["…"] and match-architectures = ["…"]'
    expect(() => parseKernelArguments(text, '/f.toml')).toThrow(`read /f.toml: ${found}; ${advice}`)
  })
})
