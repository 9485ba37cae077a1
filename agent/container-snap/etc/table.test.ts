import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Nodes } from '../testing/etc-trees.ts'
import { etcBench } from '../testing/etc-trees.ts'
import { requireOneEtc } from './merge.ts'

/** The table of three /etc implementations, row by row; docs/container-snap.md says which of them we follow. */
describe('the merge table, files and folders', () => {
  const bench = etcBench()
  const { open, merged } = bench
  afterEach(bench.close)

  const refused = async (base: Nodes, local: Nodes, next: Nodes): Promise<string> => {
    const etc = await open(base, local, next)
    const before = await etc.look()
    const error = await etc.merge().then(
      () => new Error('not refused'),
      (thrown: unknown) => thrown as Error & { code?: string },
    )
    expect(error).toMatchObject({ code: 'refused' })
    expect(await etc.look()).toEqual(before)
    return error.message
  }
  const folder = (mode = 0o755): Nodes[string] => ({ directory: true, mode })
  const file = 'file 644 0:0'
  const plainFolder = 'directory 755 0:0'

  test("row 1: changed here and in the image: the host's, and a conflict", async () => {
    const etc = await open({ f: 'A' }, { f: 'B' }, { f: 'C' })
    expect(await etc.merge()).toEqual({ conflicts: ['f'], carried: 1, skipped: [] })
    expect(await etc.look()).toEqual({ f: `${file} B` })
  })

  test('row 2: new nested folders come with their modes', async () => {
    const chain = {
      a: folder(0o700),
      'a/b': folder(0o770),
      'a/b/c': folder(0o777),
      'a/b/c/d': folder(0o707),
      'a/b/c/d/f': 'x',
    }
    expect(await merged({}, chain, {})).toEqual({
      a: 'directory 700 0:0',
      'a/b': 'directory 770 0:0',
      'a/b/c': 'directory 777 0:0',
      'a/b/c/d': 'directory 707 0:0',
      'a/b/c/d/f': `${file} x`,
    })
  })

  test('row 3: a dangling link comes as a link', async () => {
    expect(await merged({}, { l: { link: '/nowhere/at all' } }, {})).toEqual({
      l: 'link 0 0:0 /nowhere/at all',
    })
  })

  test('row 4: pipes and sockets stay behind without an error, and are named', async () => {
    const etc = await open(
      {},
      { p: { special: 'fifo' }, s: { special: 'socket' }, 'd/p': { special: 'fifo' } },
      {},
    )
    expect(await etc.merge()).toEqual({ conflicts: [], carried: 1, skipped: ['d/p', 'p', 's'] })
    expect(await etc.look()).toEqual({ d: plainFolder })
  })

  test('row 5: a folder removed here is removed', async () => {
    expect(await merged({ 'd/f': 'A' }, {}, { 'd/f': 'A' })).toEqual({})
  })

  test('row 6: a file removed here is removed', async () => {
    expect(await merged({ f: 'A', g: 'A' }, { g: 'A' }, { f: 'A', g: 'A' })).toEqual({ g: `${file} A` })
  })

  test("row 7: the image's new file in an unchanged empty folder appears", async () => {
    expect(await merged({ d: folder() }, { d: folder() }, { 'd/x': 'N' })).toEqual({
      d: plainFolder,
      'd/x': `${file} N`,
    })
  })

  test("row 8: the image's new files and folders appear", async () => {
    expect(await merged({}, {}, { f: 'N', d: folder() })).toEqual({ d: plainFolder, f: `${file} N` })
  })

  test('row 9: a file here and a folder in the image is refused, every one named', async () => {
    const message = await refused({ g: 'A' }, { f: 'L', g: 'L', ok: 'L' }, { 'f/x': 'N', 'g/x': 'N' })
    expect(message).toMatch(/^merge \/etc: .*: f, g; move the host's away and try again$/)
  })

  test('row 10: a changed file comes back with its folder where the image dropped both', async () => {
    const before = { p: folder(0o750), 'p/f': 'A', 'p/g': 'A' }
    expect(await merged(before, { ...before, 'p/f': 'L' }, {})).toEqual({
      p: 'directory 750 0:0',
      'p/f': `${file} L`,
    })
  })

  test('row 11: an image with /usr/etc is refused, with /etc filled or not, but openSUSE, where programs read both', async () => {
    const etc = await open({}, {}, { f: 'N' }, { 'usr/etc/f': 'N' })
    const root = join(etc.next, '..')
    await expect(requireOneEtc(root)).rejects.toMatchObject({ code: 'refused' })
    const other = await open({}, {}, { hostname: '', 'resolv.conf': '' }, { 'usr/etc/f': 'N' })
    await expect(requireOneEtc(join(other.next, '..'))).rejects.toMatchObject({ code: 'refused' })
    await requireOneEtc(join((await open({}, {}, { f: 'N' })).next, '..'))
    const release = 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n'
    const suse = await open({}, {}, { f: 'N' }, { 'usr/etc/f': 'N', 'usr/lib/os-release': release })
    await requireOneEtc(join(suse.next, '..'))
  })

  test('row 12: what the image lists comes new whatever was done to it here, and is told', async () => {
    const lists = {
      'usr/lib/container-snap/etc-no-merge.d/10.conf': '# ours\n/etc/f\nd/\n',
      'usr/lib/container-snap/etc-no-merge.d/20.conf': 'gone\n',
    }
    const base = { f: 'A', 'd/f': 'A', gone: 'A', g: 'A' }
    const local = { f: 'L', 'd/added': 'L', g: 'L' }
    const etc = await open(base, local, { f: 'N', 'd/f': 'N', gone: 'A', g: 'A' }, lists)
    expect((await etc.merge()).conflicts).toEqual(['d/added', 'd/f', 'f', 'gone'])
    expect(await etc.look()).toEqual({
      d: plainFolder,
      'd/f': `${file} N`,
      f: `${file} N`,
      g: `${file} L`,
      gone: `${file} A`,
    })
  })

  test("row 13: a file added here stays the host's where the image adds it too", async () => {
    expect(await merged({}, { a: 'L' }, {})).toEqual({ a: `${file} L` })
    expect(await merged({}, { a: 'L' }, { a: 'N' })).toEqual({ a: `${file} L` })
  })

  test('row 14: a mode changed here is kept', async () => {
    for (const mode of [0o400, 0o755]) {
      expect(await merged({ f: 'A' }, { f: { file: 'A', mode } }, { f: 'A' })).toEqual({
        f: `file ${mode.toString(8)} 0:0 A`,
      })
    }
  })

  test('row 15: a changed file is kept, also where the image dropped it', async () => {
    expect(await merged({ f: 'A' }, { f: 'L' }, { f: 'A' })).toEqual({ f: `${file} L` })
    expect(await merged({ f: 'A' }, { f: 'L' }, {})).toEqual({ f: `${file} L` })
  })

  test("row 16: the image's new nested folders and files appear", async () => {
    expect(await merged({}, {}, { 'a/b/c': 'N' })).toEqual({
      a: plainFolder,
      'a/b': plainFolder,
      'a/b/c': `${file} N`,
    })
  })

  test('row 18: removed here, a link in the image: the link goes, what it points to stays', async () => {
    const etc = await open({ f: 'A' }, {}, { f: { link: '../outside' } }, { outside: 'precious' })
    expect((await etc.merge()).conflicts).toEqual(['f'])
    expect(await etc.look()).toEqual({})
    expect(await readFile(join(etc.next, '../outside'), 'utf8')).toBe('precious')
  })

  test('row 19: a folder here and a file in the image is refused, also for a change inside it', async () => {
    expect(await refused({}, { 'd/x': 'L' }, { d: 'N' })).toContain(': d; ')
    expect(await refused({ 'd/f': 'A' }, { 'd/f': 'L' }, { d: { link: '/' } })).toContain(': d; ')
  })
})
