import { describe, expect, test } from 'vitest'
import type { Database, MergedAccounts, Texts } from './accounts.ts'
import { mergeAccounts } from './accounts.ts'

const nobodyElse = { users: new Set<string>(), groups: new Set<string>() }

function merge(texts: Partial<Record<Database, Texts>>, known = nobodyElse): MergedAccounts {
  return mergeAccounts(new Map(Object.entries(texts) as [Database, Texts][]), known)
}

function lines(...names: string[]): string {
  return names.map((name) => `${name}\n`).join('')
}

describe('merging user databases', () => {
  const root = 'root:x:0:0:root:/root:/bin/bash'
  const daemon = 'daemon:x:1:1::/:/usr/sbin/nologin'
  const alice = 'alice:x:1000:1000::/home/alice:/bin/bash'
  const added = '_chrony:x:997:997::/:/usr/sbin/nologin'

  test("the host's user stays and the image's new one comes, the image's order first", () => {
    const base = lines(root, daemon)
    const merged = merge({
      passwd: { base, local: lines(root, daemon, alice), next: lines(added, root, daemon) },
    })
    expect(merged.texts.get('passwd')).toBe(lines(added, root, daemon, alice))
    expect(merged).toMatchObject({ conflicts: [], carried: 1 })
  })

  test('a user removed here stays removed, and one the image dropped goes unless it was changed here', () => {
    const base = lines(root, daemon, added)
    const local = lines(root, added.replace('nologin', 'fish'))
    const merged = merge({ passwd: { base, local, next: lines(root, daemon) } })
    expect(merged.texts.get('passwd')).toBe(lines(root, added.replace('nologin', 'fish')))
    expect(merged.conflicts).toEqual(['passwd: _chrony'])
  })

  test("a line changed on both sides is the host's and a conflict, without its content", () => {
    const [base, local, next] = ['root:!:1::::::\n', 'root:$y$secret:5::::::\n', 'root:*:2::::::\n']
    const merged = merge({ shadow: { base, local, next }, passwd: { base: root, local: root, next: root } })
    expect(merged.texts.get('shadow')).toBe(local)
    expect(merged.conflicts).toEqual(['shadow: root'])
  })

  test('the day on which the image was built is no change of a password', () => {
    const [base, local, next] = ['root:!:1::::::\n', 'root:$y$secret:5::::::\n', 'root:!:2::::::\n']
    expect(merge({ shadow: { base, local, next } }).conflicts).toEqual([])
  })

  test('a number that two names would share is told', () => {
    const local = lines(root, alice.replaceAll('1000', '997'))
    const merged = merge({ passwd: { base: lines(root), local, next: lines(root, added) } })
    expect(merged.texts.get('passwd')).toBe(lines(root, added, alice.replaceAll('1000', '997')))
    expect(merged.conflicts).toEqual(['passwd: _chrony and alice both have uid 997'])
  })

  test('two names that have shared a number all along are not told', () => {
    const text = lines(root, 'toor:x:0:0::/root:/bin/sh')
    expect(merge({ passwd: { base: lines(root), local: text, next: lines(root) } }).conflicts).toEqual([])
  })

  test('a number that the image moved is told, for files in /var are owned by the old one', () => {
    const group = { base: 'ssh:x:101:\n', local: 'ssh:x:101:\n', next: 'ssh:x:105:\n' }
    const merged = merge({ group })
    expect(merged.texts.get('group')).toBe('ssh:x:105:\n')
    expect(merged.conflicts).toEqual(['group: ssh has gid 101 on the host and 105 in the image'])
  })

  test('shadow lines of nobody are dropped, but not of users that the image has elsewhere', () => {
    const passwd = { base: lines(root), local: lines(root), next: lines(root) }
    const shadow = lines('root:*:1', 'old:*:1', 'core:*:1', '+::')
    const gshadow = { base: 'gone:*::\n', local: 'gone:*::\n', next: 'gone:*::\nroot:*::\n' }
    const group = { base: 'root:x:0:\n', local: 'root:x:0:\n', next: 'root:x:0:\n' }
    const known = { users: new Set(['core']), groups: new Set<string>() }
    const merged = merge({ passwd, group, gshadow, shadow: { base: '', local: shadow, next: shadow } }, known)
    expect(merged.texts.get('shadow')).toBe(lines('root:*:1', 'core:*:1', '+::'))
    expect(merged.texts.get('gshadow')).toBe('root:*::\n')
  })

  test('several lines of one user are one value', () => {
    const subuid = { base: '', local: lines('a:1:2', 'a:5:2'), next: lines('b:9:1') }
    expect(merge({ subuid }).texts.get('subuid')).toBe(lines('b:9:1', 'a:1:2', 'a:5:2'))
  })

  test("where the host changed nothing the image's bytes stay as they are", () => {
    const next = `# users\n\n${root}\n\n+::::::`
    expect(merge({ passwd: { base: root, local: lines(root), next } }).texts.get('passwd')).toBe(next)
  })
})
