import { execFile } from 'node:child_process'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startBootfleet } from '../support/command-line.ts'
import { operatorContext } from '../support/operator-context.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
let world: SmallFleet
let context: string

beforeEach(async () => {
  world = await openSmallFleet()
  await statusOf(world.controller)
  context = await operatorContext(world)
})
afterEach(() => world.stop())

type Ran = { readonly status: number; readonly out: string; readonly note: string }

async function bootfleet(as: string, ...args: readonly string[]): Promise<Ran> {
  const run = promisify(execFile)(PROGRAM, ['--context', as, ...args], { maxBuffer: 64 * 1024 * 1024 })
  return run.then(
    ({ stdout, stderr }) => ({ status: 0, out: stdout, note: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      status: error.code,
      out: error.stdout,
      note: error.stderr,
    }),
  )
}

test('an operator is made, gets a role, is refused beyond it, and every step is in an audit log that verifies', async () => {
  const identity = join(world.controller.pkiDir, '../alice')
  expect(await bootfleet(context, 'operator', 'request', identity)).toMatchObject({ status: 0 })
  const issued = await bootfleet(
    context,
    'operator',
    'issue',
    'alice',
    '--identity',
    identity,
    '--life',
    '12h',
  )
  expect(issued.note).toContain('operator alice is certified until')
  const alice = await operatorContext(world, 'alice')
  expect((await bootfleet(alice, 'status')).note).toContain('operator alice has it for none')

  const events = await bootfleet(context, 'events', '--for', 'operator/alice', '--no-headers')
  expect(events.out).toMatch(/^\S+ \S+ {2}admin {2}operator issue {2}✔ Done .*name alice/)

  const roles = join(world.controller.pkiDir, 'operators.yaml')
  const given = await readFile(roles, 'utf8')
  await writeFile(roles, `${given}  - { who: [alice], role: operate, fleets: ["*"] }\n`)
  const halted = () => bootfleet(alice, 'halt', '--reason', 'smoke in rack 3')
  await expect.poll(async () => (await halted()).status, { timeout: 120_000, interval: 500 }).toBe(0)
  const resumed = await bootfleet(alice, 'resume', '--all')
  expect([resumed.status, resumed.note]).toEqual([1, expect.stringContaining('Unhalt needs role approve')])
  expect((await bootfleet(context, 'resume', '--all')).status).toBe(0)

  const exported = await bootfleet(context, 'audit', 'export')
  expect(exported.status).toBe(0)
  const head = /--head: ([0-9a-f]{64})/.exec(exported.note)?.[1] ?? ''
  const exportedEvents = exported.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { actor: string; event: string; outcome: string })
    .map(({ actor, event, outcome }) => `${actor} ${event} ${outcome}`)
  expect(exportedEvents).toEqual(
    expect.arrayContaining([
      'controller Leading Noted',
      'operator/admin IssueOperator Done',
      'controller Roles Noted',
      'operator/alice Halt Asked',
      'operator/alice Halt Done',
      'operator/alice Unhalt Refused',
      'operator/admin Unhalt Done',
      'operator/admin ExportAudit Done',
    ]),
  )
  const file = join(world.dir, 'audit.jsonl')
  const verify = async (text: string): Promise<Ran> => {
    await writeFile(file, text)
    const trust = join(world.controller.pkiDir, 'trust.jsonl')
    return bootfleet(context, 'audit', 'verify', file, '--trust', trust, '--head', head)
  }
  expect(await verify(exported.out)).toMatchObject({ status: 0, note: expect.stringContaining('is whole') })
  const lines = exported.out.trimEnd().split('\n')
  const forged = exported.out.replaceAll('operator/alice', 'operator/bobby')
  for (const text of [forged, lines.toSpliced(2, 1).join('\n'), lines.slice(0, -1).join('\n')]) {
    expect(await verify(text)).toMatchObject({
      status: 1,
      note: expect.stringContaining('checking the audit log'),
    })
  }
  expect((await bootfleet(context, 'audit', '-n', '3')).out).toContain('ExportAudit')
})

test('the chain goes on over a restart, is followed over it, and says when the store was wiped', async () => {
  const following = startBootfleet(['--context', context, 'events', '-f', '-o', 'json'])
  await expect.poll(following.out, { timeout: 120_000 }).toContain('"event":"Leading"')
  await world.controller.stop()
  await world.nats.wipe()
  await world.controller.start()
  const text = async (): Promise<string> => {
    const dir = join(world.dir, 'controller', 'audit')
    const [name = ''] = await readdir(dir)
    return readFile(join(dir, name), 'utf8')
  }
  await expect.poll(text, { timeout: 120_000, interval: 250 }).toContain('"event":"StoreWiped"')
  await statusOf(world.controller)
  expect((await bootfleet(context, 'audit', '-o', 'json')).out).toContain('LeadingEnded')
  const numbers = (): readonly number[] =>
    following
      .out()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { number: number }).number)
  const said = (): number => following.out().split('"event":"Leading"').length - 1
  await expect.poll(said, { timeout: 120_000, interval: 250 }).toBe(2)
  expect(numbers()).toEqual(numbers().map((_, index) => index + 1))
  expect(following.note()).toContain('does not answer')
  following.interrupt()
  expect((await following.ended).status).toBe(0)
})
