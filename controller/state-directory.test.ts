import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStateDirectory, readTerm, writeTerm } from './state-directory.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-state-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

it('keeps the id of its holder from one start to the next', async () => {
  const first = await openStateDirectory(join(dir, 'state'))
  await first.close()
  const second = await openStateDirectory(join(dir, 'state'))
  await second.close()
  expect(second.holder).toBe(first.holder)
  expect(await readdir(join(dir, 'state'))).toEqual(['holder-id'])
})

it('is open to one of many that start together, and names the directory to the others', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => openStateDirectory(dir)))
  const open = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  expect(open).toHaveLength(1)
  expect(refused).toHaveLength(4)
  for (const error of refused) {
    expect(error).toMatchObject({ code: 'StateDirInUse' })
    expect(String(error)).toContain(dir)
  }
  await open[0]?.close()
})

it('refuses a damaged id instead of taking another', async () => {
  await writeFile(join(dir, 'holder-id'), 'half')
  await expect(openStateDirectory(dir)).rejects.toThrow(/holder-id: it holds no UUID; remove the file/)
})

it('says what is wrong with a directory that it cannot use', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(openStateDirectory(join(dir, 'file', 'state'))).rejects.toMatchObject({
    code: 'ConfigInvalid',
  })
})

it('keeps the last term, and takes a damaged one for none', async () => {
  expect(await readTerm(dir)).toBe(0)
  await writeTerm(dir, 12)
  expect(await readTerm(dir)).toBe(12)
  await writeFile(join(dir, 'term'), '-1')
  expect(await readTerm(dir)).toBe(0)
})
