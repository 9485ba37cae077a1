import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { Phase, ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { reportFromWire } from './report-from-wire.ts'

const digest = `sha256:${'a'.repeat(64)}`

function read(evidence: readonly string[], etcConflicts: readonly string[]) {
  const failure = { code: 'BootFailed', message: 'fell back', evidence: [...evidence] }
  const etc = [...etcConflicts]
  return reportFromWire(
    create(ReportSchema, { phase: Phase.ROLLED_BACK, failure, defaultDigest: digest, etcConflicts: etc }),
  )
}

it('takes over what boots next, what was seen of failed boots and the files in conflict', () => {
  const report = read(['entry a used its 3 tries'], ['/etc/motd'])
  expect(report).toMatchObject({
    defaultDigest: digest,
    failure: { evidence: ['entry a used its 3 tries'] },
    etcConflicts: ['/etc/motd'],
  })
  expect(reportFromWire(create(ReportSchema, { phase: Phase.IDLE })).defaultDigest).toBeNull()
})

it('takes over since when no newly signed plan has come, where that is too long', () => {
  const since = (plansStaleSinceMs: bigint) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, plansStaleSinceMs }))
  expect(since(86_400_000n).plansStaleSinceMs).toBe(86_400_000)
  expect(since(0n)).not.toHaveProperty('plansStaleSinceMs')
  expect(() => since(2n ** 62n)).toThrow('plansStaleSinceMs cannot be taken')
})

it('takes over how a host says that it keeps its keys, where that is a way that is known', () => {
  const kept = (keysKept: string) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, facts: { keysKept } }))
  expect(kept('sealed')).toMatchObject({ keysKept: 'sealed' })
  expect(kept('in a drawer')).not.toHaveProperty('keysKept')
})

it('takes over that nothing would lead it back, where it says just that', () => {
  const read = (bootGuard: string) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, facts: { bootGuard } }))
  expect(read('uncounted')).toMatchObject({ unguarded: true })
  for (const other of ['counted', '', 'a dog']) expect(read(other)).not.toHaveProperty('unguarded')
})

it('takes over what a person made it boot, as text that is fit to be shown', () => {
  const move = { id: 'm-1', user: 'kim\u001b', command: 'rollback', atMs: 7n, digest: '' }
  const read = (localMove: typeof move) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, localMove }))
  expect(read(move).localMove).toEqual({ ...move, user: 'kim ', atMs: 7, digest: null })
  expect(reportFromWire(create(ReportSchema, { phase: Phase.IDLE }))).not.toHaveProperty('localMove')
  expect(() => read({ ...move, id: 'm 1' })).toThrow('localMove.id cannot be taken')
})

it('keeps 32 lines of evidence and 64 paths, each of 256 characters, without control characters', () => {
  const long = read(Array<string>(40).fill('\u001b[31mx'), Array<string>(80).fill('/etc/a'))
  expect(long.failure?.evidence).toEqual(Array<string>(32).fill(' [31mx'))
  expect(long.etcConflicts).toHaveLength(64)
  expect(read(['y'.repeat(300)], []).failure?.evidence).toEqual(['y'.repeat(256)])
})

it('keeps of long lists what a stored value has room for', () => {
  const report = read(Array<string>(32).fill('語'.repeat(256)), Array<string>(64).fill('"'.repeat(256)))
  expect(report.failure?.evidence.length).toBe(15)
  expect(report.etcConflicts.length).toBe(23)
})

it('takes over what a host runs that only reports, and of no other host', () => {
  const facts = {
    architecture: 'arm64',
    driver: 'report-only',
    osId: 'fedora',
    osVersion: '42',
    osName: 'Fedora\u001b[2J Linux 42',
    agentVersion: '1',
    imageReference: 'quay.io/os:42',
    imageLabels: { team: 'edge', a: 'b' },
  }
  const read = (driver: string) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, facts: { ...facts, driver } }))
  const { reportOnly } = read('report-only')
  expect(reportOnly).toEqual({
    osId: 'fedora',
    osVersion: '42',
    osName: 'Fedora [2J Linux 42',
    imageReference: 'quay.io/os:42',
    imageLabels: { a: 'b', team: 'edge' },
  })
  expect(Object.keys(reportOnly?.imageLabels ?? {})).toEqual(['a', 'team'])
  for (const driver of ['container-snap', 'simulated', '']) {
    expect(read(driver)).not.toHaveProperty('reportOnly')
  }
})

it('keeps of the labels of an image what a stored value has room for', () => {
  const read = (imageLabels: Record<string, string>) =>
    reportFromWire(create(ReportSchema, { phase: Phase.IDLE, facts: { driver: 'report-only', imageLabels } }))
      .reportOnly?.imageLabels ?? {}
  const many = Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`k${index}`, 'v']))
  expect(Object.keys(read(many))).toHaveLength(32)
  const long = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`k${index}`, '語'.repeat(999)]))
  expect(Buffer.byteLength(JSON.stringify(read(long)))).toBeLessThan(4_200)
})

it('fits into a stored value whatever all of its lists hold at once, least told first', () => {
  const odd = '\u0001'.repeat(256)
  const wide = '語'.repeat(256)
  const checks = Array.from({ length: 16 }, () => ({ name: wide, detail: wide }))
  const report = reportFromWire(
    create(ReportSchema, {
      phase: Phase.ROLLED_BACK,
      deniedDigests: Array<string>(256).fill(digest),
      health: { failedChecks: checks },
      failure: { code: 'BootFailed', message: '語'.repeat(1024), evidence: Array<string>(32).fill(wide) },
      etcConflicts: Array<string>(64).fill(wide),
      etcChanges: { changes: Array.from({ length: 9 }, () => ({ path: wide, kind: 'added' })), more: 1 },
      kernelLine: {
        ofHost: Array<string>(32).fill(odd),
        arguments: Array.from({ length: 64 }, () => ({ argument: wide, source: 'image' })),
      },
    }),
  )
  expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(48 * 1024)
  expect(report).not.toHaveProperty('kernelLine')
  expect(report.etcChanges).toEqual({ changes: [], more: 10, takenAtMs: 0, problem: '' })
  expect(report.deniedDigests).toHaveLength(256)
  expect(report.health.failedChecks.length).toBe(16)
})

it('takes more kernel arguments than git may give, for a person may have deployed them', () => {
  const given = Array.from({ length: 40 }, (_, index) => `a${index}=${'x'.repeat(index === 0 ? 400 : 1)}`)
  const kernelLine = { ofHost: given, arguments: [] }
  const report = reportFromWire(create(ReportSchema, { phase: Phase.IDLE, kernelLine }))
  expect(report.kernelArguments).toHaveLength(33)
  expect(report.kernelArguments?.[0]).toHaveLength(256)
})
