import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { installSoftwareTpm, softwareTpm } from '../../test/support/software-tpm.ts'
import { parseConfig } from '../config.ts'
import { openSealing } from '../sealing.ts'
import { writeState } from '../state-file.ts'
import { acceptedPlan } from '../testing/machine-model.ts'
import { worldIn } from '../testing/world.ts'
import { loadOrMakeKey } from './identity.ts'
import { keysKept, keysOnDisk, openKeyFiles } from './key-files.ts'
import type { KeySettings, SealedKeyFiles } from './key-files.ts'
import { openNatsUser } from './nats-user.ts'

const { signal } = new AbortController()
const ABSENT = '/dev/there-is-no-tpm'
const KEY = 'a private key\nin two lines\n'

let base: string
let path: string | undefined
let own: string
let foreign: string
let directory: string
let warned: string[]

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'bootfleet-keys-'))
  path = process.env['PATH']
  process.env['PATH'] = `${await installSoftwareTpm(join(base, 'bin'))}:${path ?? ''}`
  own = await softwareTpm(join(base, 'own'))
  foreign = await softwareTpm(join(base, 'foreign'))
})
afterAll(async () => {
  process.env['PATH'] = path
  await rm(base, { recursive: true, force: true })
})
beforeEach(async () => {
  directory = join(base, 'identity')
  await mkdir(directory)
  warned = []
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function open(changes: Partial<KeySettings> = {}): SealedKeyFiles {
  const warn = ({ message }: Error): void => void warned.push(message)
  return openKeyFiles({ directory, seal: 'auto', tpm: own, warn, signal, ...changes })
}

const file = (name: string): string => join(directory, name)
const files = async (): Promise<readonly string[]> => (await readdir(directory)).toSorted()

describe('on a machine with a TPM', () => {
  it('a new key is sealed from the start, and only its owner can read even that', async () => {
    await open().add('key.pem', KEY)
    expect(await files()).toEqual(['key.pem.sealed'])
    expect((await stat(file('key.pem.sealed'))).mode & 0o777).toBe(0o600)
    expect(await readFile(file('key.pem.sealed'), 'utf8')).not.toContain('private key')
    expect(await open().read('key.pem')).toBe(KEY)
  })

  it('keys that were installed as plain files are sealed, and no plain one is left', async () => {
    await writeFile(file('key.pem'), KEY)
    await writeFile(file('nats.key'), 'a seed\n')
    await writeFile(file('key.pem.new'), KEY)
    expect(await keysOnDisk(directory)).toBe('in plain files, which a copy of the disk holds')
    expect(await keysKept(directory)).toBe('plain')
    const keys = open()
    await keys.settle('proven')
    expect(await files()).toEqual(['key.pem.sealed', 'nats.key.sealed'])
    expect([await keys.read('key.pem'), await keys.read('nats.key')]).toEqual([KEY, 'a seed\n'])
    expect(await keysOnDisk(directory)).toBe("sealed by this machine's TPM")
    expect(await keysKept(directory)).toBe('sealed')
  })

  it('the identity is the same after the seal as before it', async () => {
    const before = await loadOrMakeKey(directory)
    const user = await openNatsUser(directory)
    const keys = open()
    await keys.settle('proven')
    expect((await loadOrMakeKey(directory, keys)).equals(before)).toBe(true)
    expect((await openNatsUser(directory, keys)).publicKey).toBe(user.publicKey)
    expect(await files()).toEqual(['key.pem.sealed', 'nats.key.sealed', 'nats.pub', 'request.csr'])
  })

  it('another TPM cannot read them, and the error says what to do', async () => {
    await open({ tpm: foreign }).add('key.pem', KEY)
    const reading = open().read('key.pem')
    await expect(reading).rejects.toMatchObject({ code: 'IdentityInvalid' })
    await expect(reading).rejects.toThrow(/key\.pem\.sealed: .*enrol the host again/s)
    expect(await files()).toEqual(['key.pem.sealed'])
  })

  it('one key cannot stand for the other', async () => {
    await open().add('nats.key', KEY)
    await rename(file('nats.key.sealed'), file('key.pem.sealed'))
    await expect(open().read('key.pem')).rejects.toMatchObject({ code: 'IdentityInvalid' })
  })

  it('a power cut between any two steps leaves one that can be read, and the next start ends the work', async () => {
    const halves: readonly (() => Promise<void>)[] = [
      () => writeFile(file('key.pem.sealed.new'), 'half of'),
      () => open().add('key.pem', KEY),
      () => rm(file('key.pem')),
    ]
    await writeFile(file('key.pem'), KEY)
    for (const half of halves) {
      await half()
      expect(await open().read('key.pem')).toBe(KEY)
    }
    await writeFile(file('key.pem'), KEY)
    await open().settle('proven')
    expect(await files()).toEqual(['key.pem.sealed'])
    expect(await open().read('key.pem')).toBe(KEY)
  })

  it('a plain key that a person puts beside a sealed one counts, and is sealed in its place', async () => {
    await open({ tpm: foreign }).add('key.pem', 'of another machine\n')
    await writeFile(file('key.pem'), KEY)
    await open().settle('proven')
    expect(await open().read('key.pem')).toBe(KEY)
    expect(await files()).toEqual(['key.pem.sealed'])
  })

  it('`never` puts plain files back, for images that cannot unseal', async () => {
    await open().add('key.pem', KEY)
    await copyFile(file('key.pem.sealed'), file('copy'))
    await open({ seal: 'never' }).settle('on trial')
    expect(await files()).toEqual(['copy', 'key.pem'])
    expect(await readFile(file('key.pem'), 'utf8')).toBe(KEY)
    await rename(file('copy'), file('key.pem.sealed'))
    await open({ seal: 'never' }).settle('proven')
    expect(await files()).toEqual(['key.pem'])
  })

  it('one that does not seal is told about once, and the keys stay as they are', async () => {
    await writeFile(file('key.pem'), KEY)
    await writeFile(file('nats.key'), KEY)
    const keys = open({ tpm: `swtpm:path=${base}/nobody/tpm` })
    await keys.settle('proven')
    await keys.settle('proven')
    expect(await files()).toEqual(['key.pem', 'nats.key'])
    expect(warned).toEqual([
      expect.stringMatching(/key\.pem sealed: .*nobody.tpm: exit status .*plain files/s),
    ])
    expect(warned.join('')).not.toContain('private key')
  })
})

describe('on a machine without a TPM', () => {
  it('keys are plain files, and nothing is said', async () => {
    const keys = open({ tpm: ABSENT })
    await keys.add('key.pem', KEY)
    await keys.settle('proven')
    expect([await files(), warned]).toEqual([['key.pem'], []])
  })

  it('one that must be sealed is neither made nor used', async () => {
    const keys = open({ tpm: ABSENT, seal: 'require' })
    await expect(keys.add('key.pem', KEY)).rejects.toThrow(`there is no TPM ${ABSENT}; identity.seal`)
    expect(await files()).toEqual([])
    await writeFile(file('key.pem'), KEY)
    for (const image of ['proven', 'on trial'] as const) {
      await expect(keys.settle(image)).rejects.toMatchObject({ code: 'IdentityInvalid' })
    }
    expect(await files()).toEqual(['key.pem'])
  })
})

describe('while an image is on trial', () => {
  const settled = async (seal: 'auto' | 'require', phase: 'Verifying' | 'Healthy'): Promise<void> => {
    const settings = {
      stateDir: base,
      controller: { address: '127.0.0.1:1' },
      nats: { url: '127.0.0.1:1' },
      identity: { seal, tpm: own },
      host: { driver: 'container-snap' },
    }
    await writeState(join(base, 'state.json'), worldIn(phase, acceptedPlan('1')).disk)
    const config = parseConfig(JSON.stringify(settings), 'test')
    const log = pino({ level: 'silent' })
    await openSealing({ config, log, signal }).settle()
  }

  it.each(['auto', 'require'] as const)('nothing is sealed (%s), and after it is', async (seal) => {
    await writeFile(file('key.pem'), KEY)
    await settled(seal, 'Verifying')
    expect(await files()).toEqual(['key.pem'])
    await settled(seal, 'Healthy')
    expect(await files()).toEqual(['key.pem.sealed'])
  })
})
