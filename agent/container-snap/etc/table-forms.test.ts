import { lstat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Nodes } from '../testing/etc-trees.ts'
import { etcBench } from '../testing/etc-trees.ts'
import { previewEtc } from './merge.ts'

/** The table of three /etc implementations, row by row; docs/container-snap.md says which of them we follow. */
describe('the merge table, names, attributes and forms', () => {
  const bench = etcBench()
  const { open, merged } = bench
  afterEach(bench.close)

  const folder = (mode = 0o755): Nodes[string] => ({ directory: true, mode })
  const file = 'file 644 0:0'
  const plainFolder = 'directory 755 0:0'

  test("row 17: a folder's mode changed here is kept, and the image's new file in it too", async () => {
    for (const mode of [0o777, 0o733, 0o775]) {
      const result = await merged({ d: folder() }, { d: folder(mode) }, { d: folder(), 'd/n': 'N' })
      expect(result).toEqual({ d: `directory ${mode.toString(8)} 0:0`, 'd/n': `${file} N` })
    }
  })

  test('row 20: a changed file comes back with a folder that the image dropped', async () => {
    expect(await merged({ 'd/f': 'A' }, { 'd/f': 'L' }, {})).toEqual({ d: plainFolder, 'd/f': `${file} L` })
  })

  test('row 21: a name of whatever bytes is carried as it is', async () => {
    const names = [
      'a b',
      'a\nb',
      '-rf',
      '--help',
      '*',
      'a\\b',
      `'"`,
      '.hidden',
      ' ',
      'a\xff\xfeb',
      '\x1b[31m',
      '~',
    ]
    const nodes = Object.fromEntries(
      names.flatMap((name) => [[name, 'L'] as const, [`d/${name}/${name}`, 'L'] as const]),
    )
    const etc = await open({ '*': 'A', '-rf': 'A' }, nodes, { '*': 'N', '-rf': 'A' })
    expect((await etc.merge()).conflicts).toEqual(['*'])
    const result = await etc.look()
    for (const path of Object.keys(nodes))
      expect({ path, is: result[path] }).toEqual({ path, is: `${file} L` })
    const again = await open(nodes, {}, nodes)
    await again.merge()
    expect(await again.look()).toEqual({})
  })

  test('row 22: other content of the same size is a change', async () => {
    expect(await merged({ f: 'AAAA' }, { f: 'LLLL' }, { f: 'AAAA' })).toEqual({ f: `${file} LLLL` })
  })

  test('row 23: another time alone is no change', async () => {
    const etc = await open({ f: 'A' }, { f: 'A' }, { f: 'N' })
    await utimes(join(etc.local, 'f'), 1, 1)
    expect(await etc.merge()).toEqual({ conflicts: [], carried: 0, skipped: [] })
    expect(await etc.look()).toEqual({ f: `${file} N` })
  })

  const accessList = [
    '\x02\0\0\0',
    '\x01\0\x06\0\xff\xff\xff\xff',
    '\x02\0\x04\0\xe8\x03\0\0',
    '\x04\0\x04\0\xff\xff\xff\xff',
    '\x10\0\x04\0\xff\xff\xff\xff',
    '\x20\0\x04\0\xff\xff\xff\xff',
  ].join('')

  test('row 24: a group, an attribute, a capability or an access list alone is a change', async () => {
    const capability = `\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0`
    const changed: Nodes = {
      owner: { file: 'A', gid: 42 },
      attribute: { file: 'A', attributes: { 'user.note': 'a\nb\0c' } },
      capability: { file: 'A', attributes: { 'security.capability': capability } },
      list: { file: 'A', attributes: { 'system.posix_acl_access': accessList } },
      d: { directory: true, attributes: { 'system.posix_acl_default': accessList, 'user.note': 'd' } },
    }
    const before = { owner: 'A', attribute: 'A', capability: 'A', list: 'A', d: folder(), 'd/f': 'A' }
    const etc = await open(before, { ...changed, 'd/f': 'L' }, before)
    expect(await etc.merge()).toEqual({ conflicts: [], carried: 6, skipped: [] })
    const result = await etc.look()
    expect(result['owner']).toBe('file 644 0:42 A')
    expect(result['attribute']).toBe(`${file} A["user.note=a\\nb\\u0000c"]`)
    expect(result['capability']).toContain('security.capability=')
    expect(result['list']).toContain('system.posix_acl_access=')
    expect(result['d']).toMatch(/^directory 755 0:0 \["system.posix_acl_default=.*","user.note=d"\]$/)
    // From its folder's default list, as the host's own file has it.
    expect(result['d/f']).toContain(`${file} L["system.posix_acl_access=`)
  })

  test('row 24: an attribute taken away here is taken away', async () => {
    const attributes = { 'user.note': 'x' }
    const image: Nodes = { f: { file: 'A', attributes }, d: { directory: true, attributes }, 'd/f': 'A' }
    expect(await merged(image, { f: 'A', d: folder(), 'd/f': 'A' }, { ...image, 'd/n': 'N' })).toEqual({
      f: `${file} A`,
      d: plainFolder,
      'd/f': `${file} A`,
      'd/n': `${file} N`,
    })
  })

  test("row 25: the host's form wins where the image kept its own", async () => {
    const link = { link: 'there' }
    const image: Nodes = { turned: link, a: 'A', b: 'A', 'c/x': 'A', e: link, broken: link }
    const host: Nodes = {
      turned: { link: 'elsewhere' },
      a: link,
      'b/x': 'L',
      c: 'L',
      'e/x': 'L',
      broken: { link: 'no' },
    }
    expect(await merged(image, host, { ...image, 'c/new': 'N' })).toEqual({
      turned: 'link 0 0:0 elsewhere',
      a: 'link 0 0:0 there',
      b: plainFolder,
      'b/x': `${file} L`,
      c: `${file} L`,
      e: plainFolder,
      'e/x': `${file} L`,
      broken: 'link 0 0:0 no',
    })
  })

  test("row 26: a folder that both added has the host's mode and the files of both", async () => {
    const etc = await open({}, { d: folder(0o700), 'd/l': 'L' }, { d: folder(0o711), 'd/n': 'N' })
    expect((await etc.merge()).conflicts).toEqual(['d'])
    expect(await etc.look()).toEqual({ d: 'directory 700 0:0', 'd/l': `${file} L`, 'd/n': `${file} N` })
  })

  test('row 27: a folder that the image dropped comes back for a file added here', async () => {
    expect(await merged({ d: folder(), 'd/o': 'A' }, { d: folder(), 'd/o': 'A', 'd/l': 'L' }, {})).toEqual({
      d: plainFolder,
      'd/l': `${file} L`,
    })
  })

  test("row 28: a folder removed here takes the image's new file with it, and that is told", async () => {
    const etc = await open({ 'd/f': 'A' }, {}, { 'd/f': 'A', 'd/n': 'N', 'd/e/n': 'N' })
    expect((await etc.merge()).conflicts).toEqual(['d/e', 'd/e/n', 'd/n'])
    expect(await etc.look()).toEqual({})
  })

  test('row 29: a preview says the same and writes nothing', async () => {
    const etc = await open({ f: 'A', g: 'A' }, { f: 'L', h: 'L' }, { f: 'N', g: 'A' })
    const before = [await etc.look(), (await lstat(etc.next)).mtimeMs]
    const preview = await previewEtc(etc, { signal: new AbortController().signal })
    expect([await etc.look(), (await lstat(etc.next)).mtimeMs]).toEqual(before)
    expect(preview).toEqual(await etc.merge())
  })
})
