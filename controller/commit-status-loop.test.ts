import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { runCommitStatus } from './commit-status-loop.ts'
import { ControllerError } from './errors.ts'
import type { CommitStatus } from './forges/commit-status.ts'

let dir: string
let sent: { readonly status: CommitStatus; readonly token: string }[]
let verdicts: CommitStatus[]
let failure: ControllerError | null
let tries: number
let log: string
let stop: () => Promise<void>

const pending: CommitStatus = {
  commit: 'c'.repeat(40),
  context: 'bootfleet/edge',
  state: 'pending',
  description: 'being rolled out',
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-status-'))
  await writeFile(join(dir, 'token'), 'tok-en\n')
  sent = []
  verdicts = [pending]
  failure = null
  tries = 0
  log = ''
  const ending = new AbortController()
  const ended = runCommitStatus(
    {
      target: { forge: 'github', repository: 'os/fleet', tokenFile: join(dir, 'token') },
      verdicts: () => verdicts,
      client: {
        async send(_, status, token) {
          tries += 1
          if (failure !== null) throw failure
          sent.push({ status, token })
        },
        close: async () => undefined,
      },
      logger: pino({ level: 'trace' }, { write: (line: string) => void (log += line) }),
      intervalMs: 5,
      backoffMs: 1,
    },
    ending.signal,
  )
  stop = async () => {
    ending.abort()
    await ended
  }
})
afterEach(async () => {
  await stop()
  await rm(dir, { recursive: true, force: true })
})

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60))
const patience = 90_000
const begun = (): Promise<void> => vi.waitFor(() => expect(sent).toHaveLength(1), patience)
const states = (): readonly string[] => sent.map(({ status }) => `${status.state}: ${status.description}`)

it('sends what changed, and the same thing only once', async () => {
  await begun()
  expect(sent).toEqual([{ status: pending, token: 'tok-en' }])
  verdicts = [{ ...pending, state: 'success', description: 'done' }]
  await vi.waitFor(() => expect(sent).toHaveLength(2), patience)
  await rest()
  expect(states()).toEqual(['pending: being rolled out', 'success: done'])
})

it('says no more than a forge keeps, but always a change of state', async () => {
  let count = 0
  verdicts = new Proxy([pending], {
    get: (target, name) =>
      (name === '0'
        ? { ...pending, description: `at ${(count += 1)}` }
        : Reflect.get(target, name)) as unknown,
  })
  await vi.waitFor(() => expect(sent).toHaveLength(200), 90_000)
  await rest()
  expect(sent).toHaveLength(200)
  verdicts = [{ ...pending, state: 'success' }]
  await vi.waitFor(() => expect(sent).toHaveLength(201), patience)
})

it('tries again after a failure that may pass, a bounded number of times, and with what holds then', async () => {
  await begun()
  failure = new ControllerError('ForgeUnreachable', 'reporting: the forge answers 503')
  verdicts = [{ ...pending, description: 'half-way' }]
  await vi.waitFor(() => expect(tries).toBeGreaterThan(4), patience)
  failure = null
  verdicts = [{ ...pending, state: 'success', description: 'done' }]
  await vi.waitFor(() => expect(states().at(-1)).toBe('success: done'), patience)
  expect(log).toContain('the forge answers 503')
  expect(log).not.toContain('tok-en')
})

it('does not try again what is refused, until something else is to be said', async () => {
  await begun()
  failure = new ControllerError('ForgeDenied', 'reporting: the forge answers 401')
  verdicts = [{ ...pending, state: 'failure' }]
  await vi.waitFor(() => expect(tries).toBe(2), patience)
  await rest()
  expect(tries).toBe(2)
})

it('takes a token that was exchanged, and waits for one that is missing', async () => {
  await begun()
  await rm(join(dir, 'token'))
  verdicts = [{ ...pending, state: 'failure' }]
  await vi.waitFor(() => expect(log).toContain('reading the token file'), patience)
  expect(sent).toHaveLength(1)
  await writeFile(join(dir, 'token'), 'other')
  const last = { token: 'other', status: { state: 'failure' } }
  await vi.waitFor(() => expect(sent.at(-1)).toMatchObject(last), patience)
})
