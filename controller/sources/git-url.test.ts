import { expect, test } from 'vitest'
import { protocolOf, withoutCredentials } from './git-url.ts'

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
