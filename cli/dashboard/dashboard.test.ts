import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import type { Session } from '../session.ts'
import type { Tty } from '../terminal.ts'
import { runDashboard } from './dashboard.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
afterEach(() => world.reset())

type Sitting = {
  readonly ended: Promise<unknown>
  readonly written: () => string
  readonly type: (keys: string) => void
  readonly interrupt: () => void
  readonly hangUp: () => void
  readonly isListening: () => boolean
}

function sitDown(): Sitting {
  let written = ''
  let type = (_keys: string): void => undefined
  let hangUp = (): void => undefined
  let isListening = false
  const tty: Tty = {
    size: () => ({ width: 80, height: 24 }),
    write: (text) => void (written += text),
    isBehind: () => false,
    listen(listeners) {
      isListening = true
      type = listeners.input
      hangUp = listeners.gone
      return () => (isListening = false)
    },
    beforeEnd: () => () => undefined,
  }
  const interruption = new AbortController()
  const terminal: Session['terminal'] = {
    out: () => undefined,
    note: () => undefined,
    environment: {},
    homeDir: '/nowhere',
    interactive: true,
    colour: false,
    columns: () => 80,
    tty,
    signal: interruption.signal,
  }
  const client = { service: world.operatorClient(world.operator), address: world.address, note: null }
  const ended = runDashboard({ terminal, contextFlag: undefined }, client, { tty, fleet: null }).catch(
    (error: unknown) => error,
  )
  return {
    ended,
    written: () => written,
    type: (keys) => type(keys),
    interrupt: () => interruption.abort(),
    hangUp: () => hangUp(),
    isListening: () => isListening,
  }
}

const patiently = { timeout: 60_000 }
/** The screen of before is back, and nothing was written to it. */
const left = '\u001b[?1049l'

it('leaves the terminal before it says that the watch is refused', async () => {
  world.snapshot = snapshotOfFleets(['edge'])
  world.bindings = []
  const { ended, written, isListening } = sitDown()
  expect(await ended).toMatchObject({ code: 'ControllerRefused' })
  expect([written().endsWith(left), isListening()]).toEqual([true, false])
})

it('shows what it is told, and ends at q, an interruption, or when nobody is there any more', async () => {
  world.snapshot = snapshotOfFleets(['edge'])
  for (const how of ['q', 'interrupt', 'hangUp'] as const) {
    const sitting = sitDown()
    await expect.poll(sitting.written, patiently).toContain('▸ edge')
    if (how === 'q') sitting.type('q')
    else sitting[how]()
    expect(await sitting.ended).toBe(undefined)
    expect([how, sitting.written().endsWith(left), sitting.isListening()]).toEqual([how, true, false])
  }
})
