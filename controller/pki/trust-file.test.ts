import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendToChain, readChain } from '../../trust/chain-file.ts'
import { INIT_DEFAULTS, initTrust } from '../../trust/init.ts'
import { makeKey, readPrivateKeyFile } from '../../trust/keys.ts'
import { nextBundle } from '../../trust/rotate.ts'
import type { Rotation } from '../../trust/rotate.ts'
import { openPki } from './pki-directory.ts'
import { openTrustFile } from './trust-file.ts'
import type { TrustFile } from './trust-file.ts'

const DAY_MS = 24 * 60 * 60 * 1000
let dir: string
let stop: AbortController
let said: string[]
let watching: Promise<void>

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-trust-'))
  await initTrust({ ...INIT_DEFAULTS, dir })
  stop = new AbortController()
  said = []
  watching = Promise.resolve()
})
afterEach(async () => {
  stop.abort()
  await watching
  await rm(dir, { recursive: true, force: true })
})

const path = (): string => join(dir, 'controller/trust.jsonl')

async function open(changes: { readonly now?: () => number } = {}): Promise<TrustFile> {
  const { directorKey, authority } = await openPki(join(dir, 'controller'))
  const logger = pino({ level: 'info' }, { write: (line: string) => void said.push(line) })
  const certificatePem = (): string => authority.certificatePem
  return openTrustFile({ path: path(), directorKey, certificatePem, logger, pollMs: 10, ...changes })
}

async function rotate(changes: Partial<Rotation>): Promise<void> {
  const chain = await readChain(path())
  const signers = await Promise.all(
    [1, 2].map((number) => readPrivateKeyFile(join(dir, `root/root-${number}.key`))),
  )
  const none = { add: [], remove: [], replace: [], thresholds: {}, addAuthorities: [], removeAuthorities: [] }
  const next = nextBundle(chain.newest, { ...none, lifeMs: DAY_MS, nowMs: Date.now(), signers, ...changes })
  await appendToChain(path(), chain, next.envelope)
}

describe('the trust file of a controller', () => {
  it('gives hosts every bundle after the one they hold', async () => {
    await rotate({})
    const trust = await open()
    expect([0, 1, 2, 9].map((number) => trust.after(number).length)).toEqual([2, 1, 0, 0])
  })

  it('is read anew while the controller runs, and told when hosts would not follow any more', async () => {
    const trust = await open()
    watching = trust.watch(stop.signal)
    await rotate({ replace: [{ role: 'director', key: makeKey('director').publicKey }] })
    await expect.poll(() => trust.after(1).length).toBe(1)
    await expect.poll(() => said.join('')).toContain('hosts refuse its plans')
  })

  it('stays in use when the file turns into nonsense or another chain', async () => {
    const trust = await open()
    watching = trust.watch(stop.signal)
    await writeFile(path(), 'nonsense')
    await expect.poll(() => said.join('')).toContain('those before stay in use')
    said = []
    const other = join(dir, 'other')
    await initTrust({ ...INIT_DEFAULTS, dir: other })
    await writeFile(path(), await readFile(join(other, 'controller/trust.jsonl')))
    await expect.poll(() => said.join('')).toContain('does not go on from the bundles in use')
    expect(trust.after(0)).toHaveLength(1)
  })

  it('is warned of before it expires', async () => {
    const trust = await open({ now: () => Date.now() + 350 * DAY_MS })
    watching = trust.watch(stop.signal)
    await expect.poll(() => said.join('')).toContain('expires in 15 days')
  })
})

describe('a controller does not start', () => {
  it('with a bundle that has expired', async () => {
    await expect(open({ now: () => Date.now() + 400 * DAY_MS })).rejects.toThrow(/expired at .*trust rotate/)
  })

  it('with a director key that the bundle does not name', async () => {
    const { privateKey } = makeKey('director')
    await writeFile(join(dir, 'controller/director.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await expect(open()).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('does not name director.key') as string,
    })
  })

  it('with a CA that the bundle does not name', async () => {
    const other = join(dir, 'other')
    await initTrust({ ...INIT_DEFAULTS, dir: other })
    for (const name of ['ca.pem', 'ca.key']) {
      await writeFile(join(dir, 'controller', name), await readFile(join(other, 'controller', name)))
    }
    await expect(open()).rejects.toThrow(/does not name the CA in ca.pem/)
  })

  it('without a chain, or keys', async () => {
    await rm(path())
    await expect(open()).rejects.toThrow(/bootfleet trust init makes it/)
    await rm(join(dir, 'controller/ca.key'))
    await expect(open()).rejects.toThrow(/pki.dir is the folder "controller"/)
    await writeFile(join(dir, 'controller/ca.key'), 'x')
    await expect(openPki(join(dir, 'controller'))).rejects.toMatchObject({ code: 'ConfigInvalid' })
  })
})

it('the key of the controller is that of the directory', async () => {
  const { directorKey } = await openPki(join(dir, 'controller'))
  const pem = await readFile(join(dir, 'controller/director.key'), 'utf8')
  expect(directorKey.equals(createPrivateKey(pem))).toBe(true)
})
