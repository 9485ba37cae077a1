import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { exitStatus } from '../exit-status.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-validate-'))
  await mkdir(join(dir, 'keys'))
  const fleet = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image:
    repository: r.example/os
    tag: stable
    verify: { cosign: { keys: [keys/release.pub] } }
`
  await writeFile(join(dir, 'fleet.yaml'), fleet)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const validate = (): Promise<Ran> => runBootfleet(['validate', dir])

async function writeKey(namedCurve: string): Promise<void> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  await writeFile(join(dir, 'keys/release.pub'), pem)
}

it('takes keys that lie in the folder', async () => {
  await writeKey('prime256v1')
  expect(await validate()).toEqual({ status: exitStatus.done, note: '', out: '2 files, 1 fleet: valid\n' })
})

it('names a key that is missing, where it is written', async () => {
  const { note, status } = await validate()
  expect(status).toBe(exitStatus.error)
  expect(note).toContain(
    'fleet.yaml:9:32: spec.image.verify.cosign.keys[0]: there is no file "keys/release.pub" in the source',
  )
})

it('names a permit that cannot be read', async () => {
  await writeKey('prime256v1')
  await mkdir(join(dir, '.bootfleet/permits'), { recursive: true })
  await writeFile(join(dir, '.bootfleet/permits/a.json'), '{"payloadType":"x","payload":"","signatures":[]}')
  const { note, status } = await validate()
  expect(status).toBe(exitStatus.error)
  expect(note).toContain('.bootfleet/permits/a.json: the permit cannot be used: it is no DSSE envelope')
})

it('names a key that no signature could be verified by', async () => {
  await writeKey('secp384r1')
  const { note, status } = await validate()
  expect(status).toBe(exitStatus.error)
  expect(note).toContain(
    'fleet.yaml:1: fleet edge: key keys/release.pub cannot be used: its curve is secp384r1, and only P-256 is supported',
  )
})
