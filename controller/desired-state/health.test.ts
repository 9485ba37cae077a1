import { expect, test } from 'vitest'
import { Plan } from '../../proto/plan.ts'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import type { Health } from './types.ts'

const strategy = (spec: string) =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: RolloutStrategy\nmetadata: { name: careful }\nspec:\n${spec}`
const fleet = `---
apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: registry.example/os/edge, tag: stable }
  strategy: careful
`
const notAddress =
  'is not an address to ask: http:// or https://, then host, port and path, at most 2048 characters, without user, password and "#"'

function refused(text: string): readonly string[] {
  const result = parseDesiredState([{ path: 'f.yaml', text }])
  return result.ok ? [] : result.issues.map((issue) => formatIssue(issue).split('\n')[0] ?? '')
}

function healthOf(spec: string): Health | undefined {
  const result = parseDesiredState([{ path: 'f.yaml', text: strategy(spec) + fleet }])
  return result.ok ? result.desiredState.fleets[0]?.strategy.health : undefined
}

test.each<[string, string, string]>([
  [
    'a path as check',
    strategy('  health: { checks: [../x] }\n'),
    '5:22: spec.health.checks[0]: "../x" is not the name of a health check: lower-case letters, digits and "-", at most 63; no path and no arguments',
  ],
  [
    'a unit of no kind that can be active',
    strategy('  health: { units: [sshd] }\n'),
    '5:21: spec.health.units[0]: "sshd" is not the name of a systemd unit: one with .service, .socket, .target, .mount, .timer or .path at its end',
  ],
  [
    'an address with a password',
    strategy('  health: { http: [{ url: "http://me:secret@127.0.0.1/" }] }\n'),
    `5:27: spec.health.http[0].url: "http://me:secret@127.0.0.1/" ${notAddress}`,
  ],
  [
    'the address of a file',
    strategy('  health: { http: [{ url: file:///etc/shadow }] }\n'),
    `5:27: spec.health.http[0].url: "file:///etc/shadow" ${notAddress}`,
  ],
  [
    'more health than fits in a plan',
    strategy(
      `  health: { http: [${Array.from({ length: 9 }, () => `{ url: "http://h/${'x'.repeat(2000)}" }`).join(', ')}] }\n`,
    ),
    '5:11: spec.health: units, addresses and checks are 18081 characters together, and the limit is 16384',
  ],
  [
    'stableFor beyond the deadline',
    strategy('  health: { stableFor: 10m }\n'),
    '5:24: spec.health.stableFor: is not shorter than deadlines.health, so that no host could become healthy',
  ],
])('refuses %s as health', (_what, text, head) => {
  expect(refused(text)).toEqual([`f.yaml:${head}`])
})

test.each(['http://127.0.0.1:8080/healthz', 'https://[::1]:8443', 'http://localhost?ready=1&user=a@b'])(
  '%s may be asked',
  (url) => {
    expect(healthOf(`  health: { http: [{ url: "${url}" }] }\n`)?.http).toEqual([{ url }])
  },
)

test('a plan can carry whatever health git may want', () => {
  const units = [
    'sshd.service',
    'getty@tty1.service',
    '-.mount',
    'dev-disk-by\\\\x2dlabel.mount',
    'a:b_c.timer',
  ]
  const written = units.map((unit) => `'${unit}'`).join(', ')
  const health = healthOf(
    `  health: { units: [${written}], http: [{ url: "http://a/b?c" }], checks: [web-up] }\n`,
  )
  expect(health?.units).toEqual(units)
  expect(Plan.shape.health.safeParse({ ...health, deadlineMs: 1 }).error).toBeUndefined()
})
