import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'
import { exitStatus } from '../exit-status.ts'

let dir = ''
const at = (name: string): string => join(dir, name)
const permit = (...words: readonly string[]): Promise<Ran> => runBootfleet(['trust', 'permit', ...words])
const downgrade = (...words: readonly string[]): Promise<Ran> =>
  permit('downgrade', '--fleet', 'edge', '--repository', 'r.example/os', '--reason', 'a driver', ...words)

/** Two approvers, both of whom must sign. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-permit-'))
  for (const name of ['kim', 'lee']) await runBootfleet(['trust', 'key', 'approver', at(`${name}.key`)])
  const keys = ['kim', 'lee'].flatMap((name) => ['--import-key', `approver=${at(`${name}.pem`)}`])
  const { note, status } = await runBootfleet([
    'trust',
    'init',
    at('trust'),
    ...keys,
    '--threshold',
    'approver=2',
  ])
  if (status !== exitStatus.done) throw new Error(note)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

it('two approvers sign one after the other, and only then it counts', async () => {
  const made = await downgrade('--lowest-version', '1.4.0', '--key', at('kim.key'))
  expect(made).toMatchObject({ status: exitStatus.done })
  await writeFile(at('camera.json'), made.out)
  const chain = at('trust/controller/trust.jsonl')
  const shown = await permit('show', at('camera.json'), '--chain', chain)
  expect(shown.out).toMatch(
    /^every host of fleet edge may go back to version 1\.4\.0 or higher of r\.example\/os until \S+: a driver\n$/,
  )
  expect(shown.status).toBe(exitStatus.error)
  expect(shown.note).toContain('is signed by 1 approver keys, and 2 must sign')
  expect(await permit('sign', at('camera.json'), '--key', at('lee.key'))).toMatchObject({
    status: exitStatus.done,
  })
  expect(await permit('show', at('camera.json'), '--chain', chain)).toMatchObject({
    status: exitStatus.done,
    note: '✔ enough approvers signed it\n',
  })
})

it('hosts and a digest are named in what is shown, and whose signatures are there', async () => {
  const digest = `sha256:${'d'.repeat(64)}`
  const made = await downgrade('--digest', digest, '--host', 'a'.repeat(26), '--key', at('kim.key'))
  await writeFile(at('one.json'), made.out)
  const { out } = await permit('show', at('one.json'))
  expect(out).toContain(`${'a'.repeat(26)} of fleet edge may go back to ${digest} of r.example/os`)
  expect(out).toMatch(/\nsignatures, not checked, by [0-9a-f]{12}\n$/)
})

it('what cannot be a permit is not made, and the reason is said', async () => {
  const key = ['--key', at('kim.key')]
  const refused = [
    await downgrade(...key),
    await downgrade('--lowest-version', '1', '--host', 'till-17', ...key),
    await downgrade('--lowest-version', '1', '--life', '91d', ...key),
    await downgrade('--lowest-version', '1', '--key', at('kim.pem')),
    await permit('show', at('kim.pem')),
  ]
  expect(refused.map(({ out }) => out)).toEqual(['', '', '', '', ''])
  const said = refused.map(({ note }) => note)
  expect(said[0]).toContain('write either --lowest-version or --digest')
  expect(said[1]).toContain('hosts')
  expect(said[2]).toContain('at most 90')
  expect(said[3]).toContain('it is a public key; name the private one')
  expect(said[4]).toContain(`reading the permit ${at('kim.pem')}: it is no DSSE envelope`)
})

it('nothing counts where the trust names no approver', async () => {
  const made = await downgrade('--lowest-version', '1', '--key', at('kim.key'))
  await writeFile(at('lonely.json'), made.out)
  await runBootfleet(['trust', 'init', at('without')])
  const { note, status } = await permit(
    'show',
    at('lonely.json'),
    '--chain',
    at('without/controller/trust.jsonl'),
  )
  expect(status).toBe(exitStatus.error)
  expect(note).toContain('names no approver; add one with trust rotate')
  expect(await readFile(at('lonely.json'), 'utf8')).toBe(made.out)
})
