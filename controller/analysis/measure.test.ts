import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startHttpServer } from '../../test/support/http-server.ts'
import type { HttpServer } from '../../test/support/http-server.ts'
import type { AnalysisProvider } from '../desired-state/types.ts'
import { AnalysisConfig } from './analysis-config.ts'
import { createMeasurer } from './measure.ts'
import type { Outcome } from './outcome.ts'

let server: HttpServer
let dir: string

beforeEach(async () => {
  server = await startHttpServer()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-measure-'))
})
afterEach(async () => {
  await server.close()
  await rm(dir, { recursive: true })
})

async function measure(
  provider: AnalysisProvider,
  config: unknown,
  stop = new AbortController(),
): Promise<Outcome> {
  const measurer = createMeasurer(AnalysisConfig.parse(config))
  try {
    return await measurer.measure({ name: 'a', provider, intervalMs: 1, failureLimit: 0 }, stop.signal)
  } finally {
    await measurer.close()
  }
}

const probe = (path = '/health', hosts: readonly string[] = ['127.0.0.1']): Promise<Outcome> =>
  measure({ kind: 'http', url: `${server.address}${path}` }, { http: { hosts, timeout: '1s' } })

test('a status from 200 to 299 passes, another one fails', async () => {
  server.answer = () => ({ status: 204 })
  expect(await probe('/health?token=s3cret')).toEqual({
    kind: 'Passed',
    detail: `asking ${server.address}/health: status 204`,
  })
  server.answer = () => ({ status: 503 })
  expect(await probe()).toMatchObject({ kind: 'Failed', detail: expect.stringContaining('status 503') })
  server.answer = () => ({ status: 302 })
  expect(await probe()).toMatchObject({ kind: 'Failed' })
})

test('only what the configuration lists is asked, with its port where one is given', async () => {
  const { host } = new URL(server.address)
  for (const hosts of [[], ['127.0.0.1:1'], ['localhost']]) {
    const { kind, detail } = await probe('/', hosts)
    expect([kind, detail]).toEqual([
      'Inconclusive',
      expect.stringContaining(`list it under analysis.http.hosts`),
    ])
  }
  expect(server.asked).toEqual([])
  expect(await probe('/', [host])).toMatchObject({ kind: 'Passed' })
  const unlisted = await measure({ kind: 'http', url: server.address }, {})
  expect(unlisted.detail).toContain('the controller may not ask')
  expect(await measure({ kind: 'http', url: 'file:///etc/passwd' }, {})).toMatchObject({
    kind: 'Inconclusive',
  })
})

test('redirects are followed to the same place only, and not for ever', async () => {
  server.answer = ({ path }) =>
    path === '/health' ? { status: 301, headers: { location: '/ready' } } : { status: 200 }
  expect(await probe()).toMatchObject({ kind: 'Passed' })
  server.answer = () => ({ status: 302, headers: { location: 'http://169.254.169.254/latest' } })
  expect(await probe('/', ['127.0.0.1', '169.254.169.254'])).toEqual({
    kind: 'Inconclusive',
    detail: expect.stringContaining('it redirects to http://169.254.169.254, which is not followed'),
  })
  server.answer = () => ({ status: 302, headers: { location: '/again' } })
  expect(await probe()).toMatchObject({ detail: expect.stringContaining('more than 5 redirects') })
})

test('no answer, a late one and one that never ends are none', async () => {
  server.answer = () => ({ silent: true })
  expect(await probe()).toMatchObject({ kind: 'Inconclusive', detail: expect.stringContaining('1000 ms') })
  await server.close()
  expect(await probe()).toMatchObject({
    kind: 'Inconclusive',
    detail: expect.stringContaining('ECONNREFUSED'),
  })
})

async function check(script: string, settings: Record<string, unknown> = {}): Promise<Outcome> {
  const program = join(dir, 'check')
  await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const checks = { burn: { command: [program, 'a b', '$HOME'], timeout: '60s', ...settings } }
  return measure({ kind: 'named', check: 'burn' }, { checks })
}

test('a named check passes with 0, fails with 1, and anything else proves nothing', async () => {
  expect(await check('echo first; echo "low"')).toEqual({ kind: 'Passed', detail: 'check burn: low' })
  expect(await check('echo "too high" >&2; exit 1')).toEqual({
    kind: 'Failed',
    detail: 'check burn: too high',
  })
  expect(await check('exit 2')).toEqual({
    kind: 'Inconclusive',
    detail: 'check burn: exit status 2: it said nothing',
  })
  expect(await check('kill -9 $$')).toMatchObject({ detail: expect.stringContaining('ended by SIGKILL') })
})

test('a named check is over when its program is, and what it left running ends with it', async () => {
  const { kind, detail } = await check('sleep 3600 & echo $!')
  expect(kind).toBe('Passed')
  const pid = Number(detail.replace('check burn: ', ''))
  const isGone = () =>
    access(`/proc/${pid}/root`).then(
      () => false,
      () => true,
    )
  await expect.poll(isGone, { timeout: 60_000 }).toBe(true)
})

test('a named check gets its arguments as they are, no shell and nothing of our environment', async () => {
  expect((await check('echo "$1|$2"')).detail).toBe('check burn: a b|$HOME')
  expect((await check('env | grep -c -E "^(HOME|USER|NODE|npm)"')).detail).toBe('check burn: 0')
})

test('a named check that hangs, floods or is not there is inconclusive', async () => {
  expect(await check('exec sleep 60', { timeout: '1s' })).toMatchObject({
    kind: 'Inconclusive',
    detail: 'check burn: no end after 1s',
  })
  expect(await check('yes')).toMatchObject({ detail: expect.stringContaining('bytes of output') })
  const gone = await check('true', { command: [join(dir, 'gone')] })
  expect(gone.detail).toContain('is missing or not executable (ENOENT)')
  for (const name of ['other', 'toString']) {
    const { kind, detail } = await measure({ kind: 'named', check: name }, {})
    expect([kind, detail]).toEqual(['Inconclusive', expect.stringContaining('analysis.checks')])
  }
})

test('a named check is ended when the controller stops', async () => {
  const stop = new AbortController()
  const measuring = measure(
    { kind: 'named', check: 'burn' },
    { checks: { burn: { command: ['/bin/sleep', '60'] } } },
    stop,
  )
  setTimeout(() => stop.abort(), 50)
  await expect(measuring).rejects.toThrow('aborted')
})

test('the configuration takes full paths of programs and refuses what it does not know', () => {
  expect(AnalysisConfig.safeParse({ checks: { burn: { command: ['burn'] } } }).success).toBe(false)
  expect(AnalysisConfig.safeParse({ http: { hosts: ['http://shop.example'] } }).success).toBe(false)
  expect(AnalysisConfig.safeParse({ prometheus: { address: 'ftp://x' } }).success).toBe(false)
  expect(AnalysisConfig.safeParse({ grafana: {} }).success).toBe(false)
})
