import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Journal } from './journal.ts'
import { journalPath, unfinishedAdoption, writeJournal } from './journal.ts'

let sysroot = ''
beforeEach(async () => {
  sysroot = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-journal-'))
})
afterEach(async () => rm(sysroot, { recursive: true, force: true }))

const begun: Journal = {
  version: 1,
  fingerprint: 'f',
  image: 'example.org/os',
  startedAt: '2026-01-01T00:00:00Z',
  root: { uuid: '1', subvolume: '/@', defaultId: 5 },
  loader: { kind: 'systemd-boot', esp: '/efi', tries: 3 },
  kernelArguments: [],
  created: [],
  mountings: [],
  varSubvolume: null,
  hadFolder: false,
  saved: [],
  imageId: null,
  deployment: null,
  generations: {},
  done: [],
  finishedAt: null,
}

test('an adoption is unfinished from its first step until it is finished', async () => {
  expect(await unfinishedAdoption(sysroot)).toBe(false)
  await writeJournal(sysroot, begun)
  expect(await unfinishedAdoption(sysroot)).toBe(true)
  await writeJournal(sysroot, { ...begun, finishedAt: '2026-01-02T00:00:00Z' })
  expect(await unfinishedAdoption(sysroot)).toBe(false)
})

test('a journal that cannot be read counts as unfinished', async () => {
  await writeJournal(sysroot, begun)
  await writeFile(journalPath(sysroot), '{')
  expect(await unfinishedAdoption(sysroot)).toBe(true)
})
