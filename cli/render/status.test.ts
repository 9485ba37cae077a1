import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { StatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { bytesWord } from '../../proto/picture/words.ts'
import { openBlocks } from './blocks.ts'
import { renderFleet, renderStatus } from './status.ts'
import { plain, styleFor } from './style.ts'
import { renderTable } from './table.ts'
import { ageWord, bar } from './words.ts'

const digest = `sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`
const from = `sha256:${'51b7'.padEnd(64, '0')}`
const startedAtMs = 1_790_000_000_000n

function edge(source: { rejection?: { commit: string; issues: string[] }; error?: string } = {}): Status {
  return create(StatusSchema, {
    source: {
      url: 'file:///srv/fleet.git',
      branch: 'main',
      acceptedCommit: '3f2a91c0',
      acceptedSubject: 'Bump',
      ...source,
    },
    observedAtMs: startedAtMs + 120_000n,
    fleets: [
      {
        name: 'edge',
        state: 'Progressing',
        commit: '3f2a91c0ffee',
        digest,
        version: '42.1.0',
        hostsTotal: 120,
        hostsUpdated: 13,
        hostsHealthy: 13,
        message: 'wave 2/3 "tenth": soaking',
        denied: [
          { digest, reason: 'check web-up failed' },
          { digest: from, reason: 'older' },
        ],
        rollout: {
          fleet: 'edge',
          commit: '3f2a91c0ffee',
          state: 'Progressing',
          digest,
          version: '42.1.0',
          fromDigest: from,
          fromVersion: '42.0.9',
          startedAtMs,
          waves: [
            { name: 'canary', state: 'Succeeded', hostsTotal: 1, hostsSucceeded: 1, message: 'soaked 2h' },
            { name: 'rest', state: 'Pending', hostsTotal: 107, message: 'waits for wave "tenth"' },
          ],
          attention: [
            {
              hostName: 'till-17',
              phase: 'RolledBack',
              message: 'fell back',
              evidence: 'entry bootfleet-9c41d0aa7b12-4 used its 3 tries',
            },
            { hostName: 'till-2', phase: 'Rebooting', message: 'rebooting' },
          ],
        },
      },
    ],
  })
}

it('shows one line per fleet and what is denied', () => {
  expect(renderStatus(edge(), { style: plain, headers: true, columns: null })).toBe(
    `source file:///srv/fleet.git main · commit 3f2a91c "Bump"
FLEET  REVISION      IMAGE                STATUS         UPDATED  HEALTHY  MESSAGE
edge   3f2a91c (2m)  42.1.0@9c41d0aa7b12  ◐ Progressing  13/120   13/120   wave 2/3 "tenth": soaking
 ⊘ denied edge: ${digest}: check web-up failed
`,
  )
})

it('leaves out everything but rows and troubles without headers', () => {
  const text = renderStatus(edge(), { style: plain, headers: false, columns: null })
  expect(text.split('\n')[0]).toMatch(/^edge +3f2a91c/)
})

it('shows waves as bars and the hosts that need attention', () => {
  const status = edge()
  const [fleet] = status.fleets
  if (fleet === undefined) throw new Error('no fleet')
  expect(
    renderFleet(status, fleet, { style: plain, headers: true, columns: null }).split('\n').slice(2),
  ).toEqual([
    '',
    'edge · rollout 3f2a91c · 42.0.9@51b700000000 → 42.1.0@9c41d0aa7b12 · ◐ Progressing · started 2026-09-21T14:13:20Z',
    ' wave    hosts  updated               state        gate',
    ' canary  1/1    ████████████████████  ✔ Succeeded  soaked 2h',
    ' rest    0/107  ░░░░░░░░░░░░░░░░░░░░  · Pending    waits for wave "tenth"',
    ' ✖ till-17  RolledBack  fell back',
    '     entry bootfleet-9c41d0aa7b12-4 used its 3 tries',
    ' ◐ till-2   Rebooting   rebooting',
    ` ⊘ denied ${digest}: check web-up failed`,
    ` ⊘ denied ${from}: older`,
    '',
  ])
})

it('shows a rejected commit with its frames, and what stays in force', () => {
  const issue = 'fleets/edge.yaml:14:9: "10 %" is no count\n> 14 |   upTo: 10 %\n     |         ^'
  const text = renderStatus(edge({ rejection: { commit: 'badc0ffee', issues: [issue] } }), {
    style: plain,
    headers: true,
    columns: null,
  })
  expect(text).toContain(`
✖ commit badc0ff is rejected; the last good commit 3f2a91c stays in force

  fleets/edge.yaml:14:9: "10 %" is no count
  > 14 |   upTo: 10 %
       |         ^
`)
})

it('shows a source that cannot be read', () => {
  const text = renderStatus(edge({ error: 'connection refused' }), {
    style: plain,
    headers: true,
    columns: null,
  })
  expect(text).toContain('✖ source file:///srv/fleet.git main: connection refused')
})

it('tells the same words with colour as without', () => {
  const painted = renderStatus(edge(), { style: styleFor(true), headers: true, columns: null })
  const escapes = new RegExp(String.raw`\u001b\[\d+m`, 'g')
  expect(painted).toMatch(escapes)
  expect(painted.replaceAll(escapes, '')).toBe(
    renderStatus(edge(), { style: styleFor(false), headers: true, columns: null }),
  )
})

it('aligns by what is seen, not by bytes', () => {
  expect(
    renderTable([
      ['\u001b[32m✔\u001b[0m a', 'x'],
      ['日本', 'y'],
    ]),
  ).toBe('\u001b[32m✔\u001b[0m a   x\n日本  y\n')
})

it('never shows a bar as full before all, nor as empty after the first', () => {
  expect(bar(1, 1000)).toBe('█' + '░'.repeat(19))
  expect(bar(999, 1000)).toBe('█'.repeat(19) + '░')
  expect(bar(0, 0)).toBe('░'.repeat(20))
})

it('says ages and sizes in one unit', () => {
  expect([0n, 5_000n, 120_000n, 7_200_000n, 864_000_000n].map((ms) => ageWord(1n, ms + 1n))).toEqual([
    '0s',
    '5s',
    '2m',
    '2h',
    '10d',
  ])
  expect([999n, 1_500n, 2_500_000n, 3_000_000_000n].map(bytesWord)).toEqual([
    '999 B',
    '1.5 kB',
    '2.5 MB',
    '3.0 GB',
  ])
})

it('writes a block per change, without control codes, where there is no terminal', () => {
  let out = ''
  const blocks = openBlocks({ out: (text) => void (out += text), note: () => undefined })
  for (const text of ['a\n', 'a\n', 'b\n']) blocks.show(text)
  expect(out).toBe('a\n\nb\n')
})

it('shows every source, the one in trouble by its name, and what a fleet waits for', () => {
  const status = create(StatusSchema, {
    sources: [
      { name: 'apps', url: 'https://git.example/apps', branch: 'main', acceptedCommit: 'a'.repeat(40) },
      {
        name: 'platform',
        url: 'https://git.example/platform',
        branch: 'main',
        acceptedCommit: 'b'.repeat(40),
        rejection: { commit: 'c'.repeat(40), issues: ['platform/lab.yaml:3:1: no'] },
        waiting: ['fleet lab: found 42.1.3 (sha256:aaaaaaaaaaaa), waits until 2026-11-22 10:00 UTC'],
      },
    ],
  })
  const text = renderStatus(status, { style: plain, headers: true, columns: null })
  expect(text).toContain('source https://git.example/apps main · commit aaaaaaa\n')
  expect(text).toContain('✖ commit ccccccc of source platform is rejected')
  expect(text).toContain('◎ fleet lab: found 42.1.3')
})

it('tells a desired state without fleets from one that is not there yet', () => {
  const noFleets = (acceptedCommit: string): string => {
    const source = { url: 'file:///srv/fleet.git', branch: 'main', acceptedCommit }
    return renderStatus(create(StatusSchema, { source, sources: [source] }), {
      style: plain,
      headers: true,
      columns: null,
    })
  }
  expect(noFleets('')).toMatch(/^source .*\nno fleets: no commit is in force yet\n$/)
  expect(noFleets('3f2a91c0')).toContain('no fleets: the commit in force declares none\n')
})

it('fits a narrow terminal, with the sentence that says why below its row, and nothing cut', () => {
  const status = edge()
  const [fleet] = status.fleets
  if (fleet === undefined) throw new Error('no fleet')
  if (status.source !== undefined) status.source.acceptedSubject = 'Bump all that is older than this'
  const view = { style: plain, headers: true, columns: 60 }
  for (const text of [renderStatus(status, view), renderFleet(status, fleet, view)]) {
    const wide = text.split('\n').filter((line) => line.length > 60 && line.trim().includes(' '))
    expect(wide).toEqual([])
    expect(text.replaceAll(/\s+/g, ' ')).toContain(fleet.message.replaceAll(/\s+/g, ' '))
  }
})
