import { expect, test } from 'vitest'
import { protocolOf, remoteOf, repositoryKey, withoutCredentials } from './git-url.ts'

test.each([
  ['git@example.org:fleet/repo.git', 'ssh'],
  ['ssh://git@example.org:22/x', 'ssh'],
  ['https://example.org/x', 'https'],
  ['/srv/fleet.git', 'file'],
])('%s is a URL git takes, over %s', (url, protocol) => {
  expect(protocolOf(url)).toBe(protocol)
})

test('neither a password nor a token in a URL is shown', () => {
  expect(withoutCredentials("at 'https://me:pw@x.example/y?private_token=abc&b=c'")).toBe(
    "at 'https://x.example/y?private_token=…&b=c'",
  )
})

test.each([
  'https://git.example/os/fleet.git',
  'https://robot:secret@git.example/OS/fleet',
  'git@git.example:os/fleet.git',
  'ssh://git@git.example:2222/os/fleet/',
  'git://git.example/os/fleet',
])('%s names the same repository as its other addresses', (url) => {
  expect(repositoryKey(url)).toBe('git.example/os/fleet')
})

test.each([
  ['file:///srv/fleet.git', '/srv/fleet'],
  ['/srv/fleet.git', '/srv/fleet'],
  ['https://git.example/', ''],
  ['none', ''],
  ['', ''],
])('%s is named %j', (url, key) => {
  expect(repositoryKey(url)).toBe(key)
})

test('a login of its own wins over one in the URL, and neither stays in it', () => {
  const login = { username: 'git', password: 'pw' }
  const header = `Authorization: Basic ${Buffer.from('git:pw').toString('base64')}`
  for (const url of ['https://git.example/x', 'https://me:old@git.example/x']) {
    expect(remoteOf(url, login)).toEqual({
      url: 'https://git.example/x',
      secretSettings: [['http.https://git.example/.extraHeader', header]],
    })
  }
  expect(remoteOf('ssh://git@git.example/x', login).secretSettings).toEqual([])
})
