import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { VERSION } from '../proto/version.ts'
import { runBootfleet } from '../test/support/command-line.ts'
import type { Ran } from '../test/support/command-line.ts'
import { wantsColour } from './terminal.ts'

const fleet = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: registry.example/os/edge, digest: sha256:${'a'.repeat(64)} }
`

it('validates a directory without a controller', async () => {
  const dir = await directory({ 'fleets/edge.yaml': fleet, 'README.md': 'not ours', '.git/x.yaml': ':' })
  expect(await run('validate', dir)).toEqual({ status: 0, out: '1 file, 1 fleet: valid\n', note: '' })
})

it('prints the schema that editors take', async () => {
  const kept = await readFile(join(import.meta.dirname, '../schema/bootfleet.schema.json'), 'utf8')
  const { status, out, note } = await run('schema')
  expect({ status, schema: JSON.parse(out), note }).toEqual({ status: 0, schema: JSON.parse(kept), note: '' })
})

it('says its version', async () => {
  expect(await run('--version')).toEqual({ status: 0, out: `${VERSION}\n`, note: '' })
})

it('prints what is wrong as a compiler does, and ends 1', async () => {
  const dir = await directory({ 'edge.yaml': fleet.replace('selector:', 'selektor:'), 'more.yml': fleet })
  const { status, out, note } = await run('validate', dir)
  expect({ status, out }).toEqual({ status: 1, out: '' })
  expect(note).toMatch(new RegExp(`^${dir}/edge\\.yaml:5:3: .*selektor`, 'm'))
  expect(note).toMatch(/^> 5 \|/m)
  expect(note).toMatch(/^2 files: \d+ errors?$/m)
})

it('ends 1 for a directory that is not there, an unknown command and a bad option', async () => {
  expect(await run('validate', '/nowhere/at/all')).toMatchObject({ status: 1, out: '' })
  expect(await run('valdate')).toMatchObject({
    status: 1,
    note: expect.stringContaining('Did you mean validate?'),
  })
  expect(await run('status', '--timeout', 'soon')).toMatchObject({ status: 1 })
  expect(await run('describe', 'fleet/edge', '--etc')).toMatchObject({
    status: 1,
    note: expect.stringContaining('describe --etc is of a host, and "fleet/edge" is none') as string,
  })
  expect(await run('describe', 'host')).toMatchObject({
    status: 1,
    note: expect.stringContaining('TYPE/NAME'),
  })
})

it('wants a reason for what overrides something, and none for the red button', async () => {
  for (const verb of ['pause', 'promote', 'abort', 'rollback', 'deny', 'allow']) {
    const { status, note } = await run(verb, 'edge', 'sha256:1111')
    expect([verb, status, note]).toEqual([verb, 1, expect.stringContaining('--reason')])
  }
  for (const line of [
    ['halt'],
    ['halt', '--all'],
    ['resume', 'edge'],
    ['approve', 'edge'],
    ['retry', 'host/a'],
  ]) {
    const { note } = await run(...line)
    expect([line, note]).toEqual([line, expect.stringContaining('start one with "bootfleet dev"')])
  }
})

it('refuses a target that is none or two', async () => {
  const reason = ['--reason', 'x']
  for (const line of [
    ['promote', 'host/a', ...reason],
    ['deny', 'edge', ...reason],
    ['halt', 'edge', '--all'],
    ['resume', 'edge', '--all'],
    ['resume'],
    ['retry', 'host/a', '--host', 'b'],
    ['trace', 'edge'],
    ['why', 'fleet/edge'],
  ]) {
    const { status, note } = await run(...line)
    expect([line, status, note]).toEqual([line, 1, expect.stringMatching(/^error: .* takes /)])
  }
})

it('shows an example of every order and question', async () => {
  const commands = [
    'pause',
    'resume',
    'retry',
    'approve',
    'promote',
    'abort',
    'rollback',
    'deny',
    'allow',
    'halt',
  ]
  for (const command of [...commands, 'why', 'trace', 'hosts', 'images', 'get', 'status', 'context']) {
    const { out } = await run(command, '--help')
    expect(out).toMatch(new RegExp(`Examples?:\\n  bootfleet ${command}`))
  }
})

it('says how to get a context when there is none', async () => {
  const { status, note } = await run('status')
  expect(status).toBe(1)
  expect(note).toContain('start one with "bootfleet dev"')
})

it('writes precedence and exit statuses into the help', async () => {
  const { status, out } = await run('--help')
  expect(status).toBe(0)
  const words = out.replaceAll(/\s+/g, ' ')
  expect(words).toContain(
    '--context NAME|FILE, then BOOTFLEET_CONTEXT, then what "bootfleet context use" chose, then ~/.config/bootfleet/context.json',
  )
  expect(out).toContain('6 superseded')
})

it('paints only for a terminal that wants it', () => {
  expect(wantsColour({}, true)).toBe(true)
  expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false)
  expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true)
  expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false)
  expect(wantsColour({}, false)).toBe(false)
})

const run = (...args: readonly string[]): Promise<Ran> => runBootfleet(args, 80)

async function directory(files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-validate-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, '..'), { recursive: true })
    await writeFile(join(dir, path), text)
  }
  return dir
}
