import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFolderSource } from './folder.ts'
import type { FolderSourceConfig } from './folder.ts'

let dir = ''
const never = new AbortController().signal

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-folder-'))
  await write('fleets/edge.yaml', 'a: 1\n')
})

afterEach(() => rm(dir, { recursive: true, force: true }))

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(dir, name)), { recursive: true })
  await writeFile(join(dir, name), text)
}

function source(config: Partial<FolderSourceConfig> = {}) {
  return createFolderSource({ path: dir, settleMs: 10, ...config })
}

test('a folder is read with all below it, under an id that only contents and names decide', async () => {
  await write('a.yml', 'b: 1\n')
  const first = await source().poll(never)
  expect(first.files).toEqual([
    { path: 'a.yml', text: 'b: 1\n' },
    { path: 'fleets/edge.yaml', text: 'a: 1\n' },
  ])
  expect(first.commit).toMatch(/^[0-9a-f]{64}$/)
  await rename(join(dir, 'a.yml'), join(dir, 'b.yml'))
  const renamed = await source().poll(never)
  expect(renamed.commit).not.toBe(first.commit)
  await rename(join(dir, 'b.yml'), join(dir, 'a.yml'))
  await write('a.yml', 'b: 1\n')
  expect((await source().poll(never)).commit).toBe(first.commit)
})

test('a change is seen by the next poll', async () => {
  const polled = source()
  const first = await polled.poll(never)
  expect(await polled.poll(never)).toBe(first)
  await write('fleets/edge.yaml', 'a: 2\n')
  expect((await polled.poll(never)).files).toEqual([{ path: 'fleets/edge.yaml', text: 'a: 2\n' }])
})

test('symlinks, pipes, hidden files and others are passed over, except the one that is ours', async () => {
  await symlink('/etc/passwd', join(dir, 'link.yaml'))
  await symlink('/etc', join(dir, 'linked'))
  execFileSync('mkfifo', [join(dir, 'pipe.yaml')])
  await write('.github/ci.yaml', 'c: 1\n')
  await write('README.md', 'd\n')
  await write('.bootfleet/allow-removal', 'edge\n')
  const { files } = await source().poll(never)
  expect(files.map(({ path }) => path)).toEqual(['.bootfleet/allow-removal', 'fleets/edge.yaml'])
})

test('a folder behind a symlink is read when that is what was named', async () => {
  const link = join(dir, 'current')
  await symlink(join(dir, 'fleets'), link)
  expect((await source({ path: link }).poll(never)).files).toHaveLength(1)
})

test('a folder that changes while it is looked at is taken when it rests', async () => {
  const polling = source({ settleMs: 300 }).poll(never)
  setTimeout(() => writeFileSync(join(dir, 'fleets/edge.yaml'), 'a: 9\n'), 100)
  expect((await polling).files).toEqual([{ path: 'fleets/edge.yaml', text: 'a: 9\n' }])
})

test.each([
  ['whose files change all the time', (number: number) => `a: ${number}\n`],
  ['whose file is always met when its writer has just emptied it', () => ''],
])('a folder %s is not taken', async (_, textOf) => {
  let number = 0
  const rewrite = (): void => writeFileSync(join(dir, 'fleets/edge.yaml'), textOf((number += 1)))
  const writing = setInterval(rewrite, 5)
  try {
    await expect(source({ settleMs: 100 }).poll(never)).rejects.toMatchObject({ code: 'SourceUnreachable' })
  } finally {
    clearInterval(writing)
  }
})

test.each([
  ['one huge file', { maxFileBytes: 3 }],
  ['too many files', { maxFiles: 0 }],
  ['too much in all', { maxTotalBytes: 4 }],
])('%s is refused', async (_, limits) => {
  await expect(source({ limits }).poll(never)).rejects.toMatchObject({ code: 'SourceTooLarge' })
})

test('a folder as deep as a loop would be is refused', async () => {
  await write(`${'d/'.repeat(40)}a.yaml`, 'a: 1\n')
  await expect(source().poll(never)).rejects.toMatchObject({ code: 'SourceTooLarge' })
})

test('a folder that is missing, or is a file, says so', async () => {
  for (const path of [join(dir, 'absent'), join(dir, 'fleets/edge.yaml')]) {
    await expect(source({ path }).poll(never)).rejects.toMatchObject({ code: 'SourceRefMissing' })
  }
})

test('a poll ends at once when aborted', async () => {
  const stop = new AbortController()
  const polling = source({ settleMs: 60_000 }).poll(stop.signal)
  setTimeout(() => stop.abort(), 50)
  await expect(polling).rejects.toMatchObject({ name: 'AbortError' })
})
