import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeReading } from '../../controller/web/page/wire.ts'
import type { Reading } from '../../controller/web/page/wire.ts'
import { openSseReader } from '../../controller/web/page/sse.ts'
import { operatorContext } from '../support/operator-context.ts'
import { openSmallFleet } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')

let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet({ pollInterval: '1s', settings: { web: { listen: '127.0.0.1:0' } } })
})
afterEach(() => world.stop())

/** The program as it ships; resolves with the address that it prints. */
async function openWeb(): Promise<{ readonly url: string; end(): Promise<number | null> }> {
  const context = await operatorContext(world)
  const program = spawn(PROGRAM, ['--context', context, 'web'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(program, 'exit') as Promise<[number | null]>
  const [printed] = (await once(program.stdout, 'data')) as [Buffer]
  return {
    url: printed.toString().trim(),
    async end() {
      program.kill('SIGTERM')
      return (await ended)[0]
    },
  }
}

/** The first reading of a place that is as wanted. */
async function readingOf(url: string, isWanted: (reading: Reading) => boolean): Promise<Reading> {
  const over = new AbortController()
  const { body } = await fetch(url, { signal: over.signal })
  const read = openSseReader()
  const pieces = body?.pipeThrough(new TextDecoderStream()) ?? []
  for await (const piece of pieces as AsyncIterable<string>) {
    for (const { event, data } of read(piece)) {
      const reading = event === 'reading' ? decodeReading(data) : null
      if (reading === null || !isWanted(reading)) continue
      over.abort()
      return reading
    }
  }
  throw new Error('the stream ended before')
}

test('bootfleet web serves the page of a real controller, which follows a rollout to its end', async () => {
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  await world.startHosts(2, first)
  const web = await openWeb()
  const page = await fetch(web.url)
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>bootfleet</title>')])
  expect((await fetch(`${web.url}page.js`)).headers.get('content-type')).toContain('text/javascript')

  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${first}`) }, 'Run the first')
  const { status, hosts, operator } = await readingOf(`${web.url}events?fleet=edge`, (reading) =>
    reading.status.fleets.some(({ state, hostsUpdated }) => state === 'Synced' && hostsUpdated === 2),
  )
  expect([operator, status.fleets[0]?.hostsTotal, hosts.length]).toEqual(['admin', 2, 2])
  const story = await readingOf(`${web.url}events?host=${hosts[0]?.name}`, () => true)
  expect([story.why?.fleet, story.hops[0]?.kind]).toEqual(['edge', 'Commit'])
  expect((await fetch(`${web.url}events?host=nothing`)).status).toBe(404)
  expect(await web.end()).toBe(0)
})
