import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import { completionScripts } from './scripts.ts'
import type { Shell } from './scripts.ts'

/** How soon the machine of a test answers is its own business. */
const patient = { BOOTFLEET_COMPLETION_TIMEOUT_MS: '60000' }

let world: GrpcWorld
let dir = ''
let context = ''

beforeAll(async () => {
  world = await startGrpcWorld()
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-complete-'))
  context = join(dir, 'context.json')
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  await writeFile(join(dir, 'operator.pem'), world.operator.certificatePem)
  await writeFile(join(dir, 'operator.key'), world.operator.keyPem)
  const files = { ca: 'ca.pem', certificate: 'operator.pem', key: 'operator.key' }
  await writeFile(context, JSON.stringify({ address: world.address, ...files }))
  const [tsx, main] = ['../../node_modules/.bin/tsx', '../main.ts'].map((path) =>
    join(import.meta.dirname, path),
  )
  await writeFile(join(dir, 'bootfleet'), `#!/bin/sh\nexec ${tsx} ${main} "$@"\n`)
  await chmod(join(dir, 'bootfleet'), 0o755)
  for (const [shell, script] of Object.entries(completionScripts)) await writeFile(join(dir, shell), script)
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true, force: true })
})

/** What bootfleet offers after these words, the last of which is being written. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { out } = await runBootfleet(['--context', context, 'complete', '--', ...words], 120, patient)
  return out.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] ?? '']))
}

async function run(shell: Shell, script: string): Promise<readonly string[]> {
  const env = {
    ...process.env,
    PATH: `${dir}:${process.env['PATH'] ?? ''}`,
    ...patient,
    BOOTFLEET_CONTEXT: context,
    HOME: dir,
  }
  const bare = { bash: ['--norc', '--noprofile'], zsh: ['-f'], fish: ['--no-config'] }[shell]
  const { stdout } = await promisify(execFile)(shell, [...bare, '-c', script], {
    env,
    cwd: dir,
    timeout: 60_000,
  })
  return stdout.split('\n').filter((line) => line !== '')
}

it('commands, types, options, their values and live names are offered where they may stand', async () => {
  expect(await offered('ro')).toEqual(['rollback'])
  expect(await offered('enrol', '')).toContain('host')
  expect(await offered('get', 'hos')).toEqual(['hosts', 'host'])
  expect(await offered('get', 'hosts', '')).toEqual(['edge-1', 'shop-1', 'stray'])
  expect(await offered('get', 'hosts', '--fl')).toEqual(['--fleet'])
  expect(await offered('get', 'hosts', '--fleet', '')).toEqual(['edge', 'shop'])
  expect(await offered('get', 'hosts', '--fleet=s')).toEqual(['--fleet=shop'])
  expect(await offered('get', 'hosts', '--fleet', '=', 's')).toEqual(['shop'])
  expect(await offered('get', 'hosts', '--fleet', '=')).toEqual(['edge', 'shop'])
  expect(await offered('get', 'hosts', '-o', 'w')).toEqual(['wide'])
  expect(await offered('why', 'host/e')).toEqual(['host/edge-1'])
  expect(await offered('why', 'host', 'e')).toEqual(['edge-1'])
  expect(await offered('events', '--for', 'host/e')).toEqual(['host/edge-1'])
  expect(await offered('events', '--for=rollout/')).toEqual(['--for=rollout/edge.1', '--for=rollout/shop.1'])
  expect(await offered('pause', 'fleet/edge', '')).toEqual([])
  expect(await offered('pause', 'rollout/sh')).toEqual(['rollout/shop.1'])
  expect(await offered('status', 'sh')).toEqual(['shop'])
  expect(await offered('validate', '')).toEqual([])
  expect(await offered('--context', context, 'status', 'e')).toEqual(['edge'])
  expect(await offered('')).not.toContain('complete')
})

it('contexts are offered by name, without a controller', async () => {
  const environment = { XDG_CONFIG_HOME: join(dir, 'home') }
  const ask = async (...words: readonly string[]): Promise<string> =>
    (await runBootfleet(['complete', '--', ...words], 120, environment)).out
  await mkdir(join(dir, 'home', 'bootfleet', 'contexts'), { recursive: true })
  await copyFile(context, join(dir, 'home', 'bootfleet', 'contexts', 'shop.json'))
  expect(await ask('context', 'use', 's')).toBe(`shop\t${world.address}\n`)
  expect(await ask('context', 'delete', 's')).toBe(`shop\t${world.address}\n`)
  expect(await ask('--context', '')).toBe(`shop\t${world.address}\n`)
  expect(await ask('get', 'hosts', '--context=s')).toBe(`--context=shop\t${world.address}\n`)
})

it('nothing is said when there is no controller or no context', async () => {
  expect(await runBootfleet(['complete', '--', 'status', ''])).toEqual({ status: 0, out: '', note: '' })
  const nowhere = join(dir, 'nowhere.json')
  const files = { ca: 'ca.pem', certificate: 'operator.pem', key: 'operator.key' }
  await writeFile(nowhere, JSON.stringify({ address: '127.0.0.1:1', ...files }))
  const ran = await runBootfleet(['--context', nowhere, 'complete', '--', 'status', ''])
  expect(ran).toEqual({ status: 0, out: '', note: '' })
})

it('bash completes names of the controller', async () => {
  const ask = (words: string): string =>
    `. ./bash; COMP_WORDS=(bootfleet ${words}); COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); _bootfleet; printf '%s\\n' "\${COMPREPLY[@]}"`
  expect(await run('bash', ask('get hosts --fleet ""'))).toEqual(['edge', 'shop'])
  expect(await run('bash', `${ask('why host/')}; complete -p bootfleet`)).toEqual([
    'host/edge-1',
    'host/shop-1',
    'host/stray',
    'complete -o bashdefault -o default -F _bootfleet bootfleet',
  ])
})

it('zsh gives its completion system each word with what it is', async () => {
  const stubs = 'compdef() { :; }; _describe() { print -l -- "${(@P)2}"; }; _files() { print files; }'
  const ask = (words: string): string =>
    `${stubs}; . ./zsh; words=(bootfleet ${words}); CURRENT=$#words; _bootfleet`
  expect(await run('zsh', ask('status ""'))).toEqual(['edge:fleet, Synced', 'shop:fleet, Synced'])
  expect(await run('zsh', ask('validate ""'))).toEqual(['files'])
})

it('fish completes names of the controller, and files where nothing of ours can stand', async () => {
  expect(await run('fish', 'source ./fish; complete -C "bootfleet get hosts --fleet "')).toEqual([
    'edge\tfleet, Synced',
    'shop\tfleet, Synced',
  ])
  expect(await run('fish', 'source ./fish; complete -C "bootfleet validate con"')).toEqual(['context.json'])
})
