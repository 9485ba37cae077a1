import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startHttpServer } from '../../test/support/http-server.ts'
import type { HttpServer } from '../../test/support/http-server.ts'
import type { Comparison } from '../desired-state/types.ts'
import { AnalysisConfig } from './analysis-config.ts'
import { createMeasurer } from './measure.ts'
import type { Outcome } from './outcome.ts'

let server: HttpServer
let dir: string

beforeEach(async () => {
  server = await startHttpServer()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-prometheus-'))
})
afterEach(async () => {
  await server.close()
  await rm(dir, { recursive: true })
})

/** What Prometheus answers to an instant query. */
function says(data: unknown): void {
  server.answer = () => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  })
}
const vector = (...values: readonly string[]): unknown => ({
  resultType: 'vector',
  result: values.map((value, index) => ({
    metric: { __name__: 'errors', site: `s${index}` },
    value: [1_700_000_000.1, value],
  })),
})

async function measure(
  success: Comparison = { operator: '<', value: 0.01 },
  settings: Record<string, unknown> = {},
  signal = new AbortController().signal,
): Promise<Outcome> {
  const config = AnalysisConfig.parse({ prometheus: { address: server.address, ...settings } })
  const measurer = createMeasurer(config)
  const provider = { kind: 'prometheus', query: 'rate(errors[5m])', success } as const
  try {
    return await measurer.measure({ name: 'errors', provider, intervalMs: 1, failureLimit: 0 }, signal)
  } finally {
    await measurer.close()
  }
}

test('asks as the API wants it, with the token of the file and the headers of the configuration', async () => {
  says(vector('0.001'))
  await writeFile(join(dir, 'token'), 's3cret\n')
  const settings = { tokenFile: join(dir, 'token'), headers: { 'X-Scope-OrgID': 'fleet' } }
  expect(await measure(undefined, { ...settings, address: `${server.address}/prom/` })).toEqual({
    kind: 'Passed',
    detail: '{site="s0"} 0.001, wanted < 0.01',
  })
  expect(server.asked).toMatchObject([
    {
      method: 'POST',
      path: '/prom/api/v1/query',
      body: 'query=rate%28errors%5B5m%5D%29',
      headers: { authorization: 'Bearer s3cret', 'x-scope-orgid': 'fleet' },
    },
  ])
})

test('every sample of a vector must pass, and one that fails is named', async () => {
  says(vector('0.001', '0.2', '0.3'))
  expect(await measure()).toEqual({
    kind: 'Failed',
    detail: '{site="s1"} 0.2, {site="s2"} 0.3, wanted < 0.01',
  })
})

test.each<[string, Comparison['operator'], number, Outcome['kind']]>([
  ['3', '>', 2, 'Passed'],
  ['2', '>', 2, 'Failed'],
  ['2', '>=', 2, 'Passed'],
  ['2', '<=', 1, 'Failed'],
  ['2', '==', 2, 'Passed'],
  ['2', '!=', 2, 'Failed'],
  ['+Inf', '<', 1, 'Failed'],
  ['-Inf', '<', 1, 'Passed'],
  ['NaN', '<', 1, 'Inconclusive'],
  ['', '<', 1, 'Inconclusive'],
])('a scalar of %j that must be %s %d is %s', async (text, operator, value, kind) => {
  says({ resultType: 'scalar', result: [1_700_000_000.1, text] })
  expect(await measure({ operator, value })).toMatchObject({ kind })
})

describe('what proves nothing is inconclusive and says why', () => {
  test.each<[string, () => void, string]>([
    ['no data', () => says(vector()), 'found no data'],
    ['not a number', () => says(vector('NaN', '0')), '{site="s0"} NaN is no number'],
    [
      'a histogram',
      () => says({ resultType: 'vector', result: [{ metric: {}, histogram: [1, {}] }] }),
      'a histogram is no number',
    ],
    ['a range', () => says({ resultType: 'matrix', result: [] }), 'gives a matrix'],
    [
      'an error',
      () => {
        const body = JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'parse error' })
        server.answer = () => ({ status: 400, body })
      },
      'bad_data: parse error',
    ],
    [
      'a login page',
      () => (server.answer = () => ({ body: '<html>' })),
      'status 200 with an answer that is none',
    ],
    ['a flood', () => (server.answer = () => ({ body: 'x'.repeat(2 ** 21) })), 'too large'],
  ])('%s', async (_what, given, detail) => {
    given()
    expect(await measure()).toEqual({ kind: 'Inconclusive', detail: expect.stringContaining(detail) })
  })

  test('no answer in time', async () => {
    server.answer = () => ({ silent: true })
    expect(await measure(undefined, { timeout: '1s' })).toEqual({
      kind: 'Inconclusive',
      detail: expect.stringContaining('no end within 1000 ms'),
    })
  })

  test('nobody there, and no token where there should be one', async () => {
    await server.close()
    expect(await measure()).toMatchObject({ detail: expect.stringContaining('ECONNREFUSED') })
    const without = await measure(undefined, { tokenFile: join(dir, 'none') })
    expect(without.detail).toContain('none cannot be read')
  })

  test('nothing configured', async () => {
    const measurer = createMeasurer(AnalysisConfig.parse({}))
    const provider = { kind: 'prometheus', query: 'up', success: { operator: '>', value: 0 } } as const
    const analysis = { name: 'up', provider, intervalMs: 1, failureLimit: 0 }
    const { kind, detail } = await measurer.measure(analysis, new AbortController().signal)
    expect([kind, detail]).toEqual(['Inconclusive', expect.stringContaining('analysis.prometheus.address')])
    await measurer.close()
  })
})

test('ends at once when the controller stops', async () => {
  server.answer = () => ({ silent: true })
  const stop = new AbortController()
  const measuring = measure(undefined, {}, stop.signal)
  setTimeout(() => stop.abort(), 50)
  await expect(measuring).rejects.toThrow('aborted')
})
