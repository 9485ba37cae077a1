import { appendFile, link, lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Nodes } from '../testing/etc-trees.ts'
import { etcBench } from '../testing/etc-trees.ts'
import { listLocalChanges } from './changes.ts'
import { mergeEtc } from './merge.ts'

describe('merging /etc', () => {
  const bench = etcBench()
  const { open, merged } = bench
  afterEach(bench.close)
  const file = 'file 644 0:0'

  test('what belongs to the machine is never the image’s', async () => {
    const names = [
      'machine-id',
      'fstab',
      'adjtime',
      'crypttab',
      'crypttab.initramfs',
      'hostname',
      'ssh/ssh_host_rsa_key',
      'bootfleet/agent.yaml',
    ]
    const of = (who: string): Nodes => Object.fromEntries(names.map((name) => [name, who]))
    const etc = await open(
      of('L'),
      { ...of('L'), 'resolv.conf': { link: '../run/r' } },
      { ...of('N'), 'resolv.conf': '' },
    )
    expect(await etc.merge()).toEqual({ conflicts: [], carried: 0, skipped: [] })
    const result = await etc.look()
    for (const name of names) expect({ name, is: result[name] }).toEqual({ name, is: `${file} L` })
    expect(result['resolv.conf']).toBe('link 0 0:0 ../run/r')
  })

  test('keys and mounts that only the image has do not come in, and a machine-id is left to the boot', async () => {
    const image = {
      'machine-id': 'N',
      fstab: 'N',
      crypttab: 'N',
      'ssh/ssh_host_rsa_key': 'N',
      'ssh/sshd_config': 'N',
    }
    expect(await merged({}, {}, { ...image, 'bootfleet/checks.yaml': 'N', '.updated': 'N' })).toEqual({
      bootfleet: 'directory 755 0:0',
      'bootfleet/checks.yaml': `${file} N`,
      'machine-id': 'file 444 0:0',
      ssh: 'directory 755 0:0',
      'ssh/sshd_config': `${file} N`,
    })
  })

  test('an empty hostname or resolv.conf that a builder left is nobody’s wish', async () => {
    const left = { hostname: '', 'resolv.conf': '' }
    expect(await merged(left, left, { hostname: '', 'resolv.conf': { link: 'stub' } })).toEqual({
      'resolv.conf': 'link 0 0:0 stub',
    })
  })

  test('user databases merge by line with the image’s owner and mode, and .updated goes', async () => {
    const look = { gid: 42, mode: 0o640 }
    const users = 'root:x:0:0::/:/bin/sh\n'
    const etc = await open(
      { passwd: users, shadow: { file: 'root:*:1:\n', ...look } },
      {
        passwd: `${users}al:x:9:9::/:/bin/sh\n`,
        shadow: { file: 'root:*:1:\nal:$y$:2:\n', ...look },
        '.updated': 'L',
      },
      {
        passwd: `n:x:8:8::/:\n${users}`,
        shadow: { file: 'n:!:3:\nroot:*:1:\nold:*:1:\n', gid: 43, mode: 0o600 },
      },
    )
    expect(await etc.merge()).toEqual({ conflicts: [], carried: 2, skipped: [] })
    expect(await etc.look()).toEqual({
      passwd: `${file} n:x:8:8::/:\n${users}al:x:9:9::/:/bin/sh`,
      shadow: 'file 600 0:43 n:!:3:\nroot:*:1:\nal:$y$:2:',
    })
  })

  test('a mode that was changed here is kept for user databases too', async () => {
    const text = 'root:*:1:\n'
    const local = { shadow: { file: text, mode: 0o400 } }
    expect(await merged({ shadow: text }, local, { shadow: 'root:*:2:\n' })).toEqual({
      shadow: 'file 400 0:0 root:*:2:',
    })
  })

  test('the same merge twice has the same result', async () => {
    const etc = await open(
      { f: 'A', 'd/f': 'A', passwd: 'a:x:1:\n' },
      { f: 'L', 'x/y': { link: 'z' }, passwd: 'b:x:2:\n', t: { file: 'L', attributes: { 'user.a': '1' } } },
      { f: 'N', 'd/f': 'A', 'd/g': 'N', passwd: 'c:x:3:\na:x:1:\n' },
    )
    await etc.merge()
    const once = await etc.look()
    await etc.merge()
    expect(await etc.look()).toEqual(once)
  })

  test('setuid and setgid bits and owners are kept', async () => {
    expect(await merged({}, { s: { file: 'L', mode: 0o6755, uid: 7, gid: 8 } }, {})).toEqual({
      s: 'file 6755 7:8 L',
    })
  })

  test('two names of one file come as two files', async () => {
    const etc = await open({}, { a: 'L' }, {})
    await link(join(etc.local, 'a'), join(etc.local, 'b'))
    await etc.merge()
    expect(await etc.look()).toEqual({ a: `${file} L`, b: `${file} L` })
    expect((await lstat(join(etc.next, 'a'))).nlink).toBe(1)
  })

  test('nothing is written through a link, wherever it points', async () => {
    const rest = { 'outside/f': 'precious' }
    const up = { link: '../outside' }
    const linkHere = await open({ 'd/f': 'A' }, { d: up }, { 'd/f': 'N', 'd/g': 'N' }, rest)
    expect((await linkHere.merge()).conflicts).toEqual(['d/f', 'd/g'])
    const linkThere = await open({ 'd/f': 'A' }, { 'd/f': 'L' }, { d: up }, rest)
    await expect(linkThere.merge()).rejects.toMatchObject({ code: 'refused' })
    const bothLink = await open({ d: up }, { d: up, e: 'L' }, { d: { link: '../outside/f' } }, rest)
    await bothLink.merge()
    for (const { next } of [linkHere, linkThere, bothLink])
      expect(await readFile(join(next, '../outside/f'), 'utf8')).toBe('precious')
  })

  test('a file that grows all the while comes to an end', async () => {
    const etc = await open({}, { log: 'x'.repeat(100_000), f: 'L' }, {})
    let isOver = false
    const growing = (async (): Promise<void> => {
      while (!isOver) await appendFile(join(etc.local, 'log'), 'y'.repeat(100_000))
    })()
    await etc.merge()
    isOver = true
    await growing
    expect((await lstat(join(etc.next, 'log'))).isFile()).toBe(true)
  })

  test('a merge that is interrupted says so', async () => {
    const etc = await open({}, { f: 'L' }, {})
    const signal = AbortSignal.abort()
    await expect(mergeEtc(etc, { signal })).rejects.toMatchObject({ code: 'interrupted' })
  })

  test('changes of a host are listed with what was done', async () => {
    const etc = await open({ a: 'A', b: 'A', c: 'A' }, { a: 'A', b: 'L', 'n\n': 'L', fstab: 'L' }, {})
    expect(await listLocalChanges(etc.base, etc.local, { signal: new AbortController().signal })).toEqual([
      { path: 'b', kind: 'changed' },
      { path: 'c', kind: 'removed' },
      { path: 'fstab', kind: 'added' },
      { path: 'n\\n', kind: 'added' },
    ])
  })
})
