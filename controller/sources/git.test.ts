import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createGitSource } from './git.ts'
import type { GitSourceConfig } from './git.ts'

let dir = ''
let work = ''
const daemons: ChildProcess[] = []
const never = new AbortController().signal
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-git-'))
  work = join(dir, 'work')
  await mkdir(work)
  await git('init', '--quiet', '--initial-branch=main')
  await commit({ 'fleets/edge.yaml': 'a: 1\n' }, 'first')
})

afterEach(async () => {
  // Git runs the daemon as a child: only a signal to their group reaches it.
  for (const daemon of daemons.splice(0)) process.kill(-Number(daemon.pid), 'SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

async function git(...args: string[]): Promise<string> {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']
  return (await execa('git', ['-C', work, ...identity, ...args])).stdout
}

async function commit(files: Readonly<Record<string, string>>, subject: string): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(work, name, '..'), { recursive: true })
    await writeFile(join(work, name), text)
  }
  await git('add', '--all', '--force')
  await git('commit', '--quiet', '--allow-empty', '-m', subject)
  return git('rev-parse', 'HEAD')
}

function source(config: Partial<GitSourceConfig> = {}) {
  return createGitSource({
    url: work,
    branch: 'main',
    path: 'fleets',
    mirrorDir: join(dir, 'mirror'),
    ...config,
  })
}

async function pathsAt(config: Partial<GitSourceConfig> = {}): Promise<readonly string[]> {
  return (await source(config).poll(never, null)).files.map(({ path }) => path)
}

test.each(['path', 'file URL'])('a commit is read from a %s, and the next one after it', async (form) => {
  const polled = source({ url: form === 'path' ? work : `file://${work}` })
  const first = await polled.poll(never, null)
  expect(first.files).toEqual([{ path: 'fleets/edge.yaml', text: 'a: 1\n' }])
  expect(first.subject).toBe('first')
  expect(Math.abs(first.committedAtMs - Date.now())).toBeLessThan(60_000)
  const second = await commit({ 'fleets/edge.yaml': 'a: 2\n', 'other/x.yaml': 'b: 1\n' }, 'second')
  expect(await polled.poll(never, null)).toMatchObject({ commit: second, files: [{ text: 'a: 2\n' }] })
})

test('a repository is read over the network', async () => {
  const port = await freePort()
  const flags = [
    '--reuseaddr',
    '--listen=127.0.0.1',
    `--port=${port}`,
    '--export-all',
    `--base-path=${dir}`,
    dir,
  ]
  daemons.push(spawn('git', ['daemon', ...flags], { stdio: 'ignore', detached: true }))
  const polled = source({ url: `git://127.0.0.1:${port}/work` })
  for (let attempt = 0; attempt < 900 && !(await polled.poll(never, null).catch(() => null)); attempt += 1)
    await delay(100)
  expect((await polled.poll(never, null)).files).toHaveLength(1)
})

test('rewritten history and a force-push are followed', async () => {
  const polled = source()
  await polled.poll(never, null)
  await git('checkout', '--quiet', '--orphan', 'fresh')
  await commit({ 'fleets/edge.yaml': 'a: 9\n' }, 'rewritten')
  await git('branch', '--force', 'main', 'fresh')
  expect(await polled.poll(never, null)).toMatchObject({ subject: 'rewritten', files: [{ text: 'a: 9\n' }] })
  expect((await source().poll(never, null)).subject).toBe('rewritten')
})

test('a deleted branch, an unknown folder and an absent repository each say so', async () => {
  await git('checkout', '--quiet', '-b', 'other')
  await git('branch', '--quiet', '-D', 'main')
  await expect(source().poll(never, null)).rejects.toMatchObject({ code: 'SourceRefMissing' })
  await expect(source({ branch: 'other', path: 'nowhere' }).poll(never, null)).rejects.toMatchObject({
    code: 'SourceRefMissing',
    message: expect.stringContaining('has no folder "nowhere"') as string,
  })
  await expect(source({ url: join(dir, 'absent') }).poll(never, null)).rejects.toMatchObject({
    code: 'SourceUnreachable',
  })
})

test('credentials in a URL never reach a message', async () => {
  const failed = await source({ url: `http://user:s3cret@127.0.0.1:${await freePort()}/x` })
    .poll(never, null)
    .catch(String)
  expect(failed).toContain('127.0.0.1')
  expect(failed).not.toMatch(/s3cret|user:/)
})

test.each(['damaged objects', 'a lock left behind', 'no repository at all'])(
  'a mirror with %s is made anew',
  async (damage) => {
    await source().poll(never, null)
    const mirror = join(dir, 'mirror', 'mirror.git')
    if (damage === 'damaged objects') await rm(join(mirror, 'objects'), { recursive: true })
    if (damage === 'a lock left behind') await writeFile(join(mirror, 'shallow.lock'), '')
    if (damage === 'no repository at all') {
      await rm(mirror, { recursive: true })
      await writeFile(mirror, 'x')
    }
    const next = await commit({ 'fleets/b.yaml': 'b: 1\n' }, 'next')
    expect((await source().poll(never, null)).commit).toBe(next)
  },
)

test('symlinks, submodules, hidden and other files are not read; strange names are taken verbatim', async () => {
  await symlink('/etc/passwd', join(work, 'fleets', 'link.yaml'))
  const head = await git('rev-parse', 'HEAD')
  await git('update-index', '--add', '--cacheinfo', `160000,${head},fleets/module.yaml`)
  const strange = 'fleets/-x $(touch pwned)\n\t"ü.yml'
  await commit({ [strange]: 'c: 1\n', 'fleets/.github/ci.yaml': 'd: 1\n', 'fleets/README.md': 'e\n' }, 'odd')
  expect([...(await pathsAt())].toSorted()).toEqual([strange, 'fleets/edge.yaml'].toSorted())
  expect(await pathsAt({ path: './' })).toContain('fleets/edge.yaml')
})

test.each([
  ['one huge file', { maxFileBytes: 100 }, { 'fleets/big.yaml': 'x'.repeat(101) }],
  ['too many files', { maxFiles: 1 }, { 'fleets/b.yaml': '' }],
  ['too much in all', { maxTotalBytes: 8 }, { 'fleets/b.yaml': 'x: 1\n' }],
  [
    'a mirror that outgrows its disk',
    { maxMirrorBytes: 1000 },
    { 'noise.bin': Array.from({ length: 9000 }, () => Math.random()).join() },
  ],
])('%s is refused', async (_, limits, files: Record<string, string>) => {
  await commit(files, 'large')
  await expect(source({ limits }).poll(never, null)).rejects.toMatchObject({ code: 'SourceTooLarge' })
})

test('a tree with a name that would escape it is refused by fsck', async () => {
  const blob = (await execa('git', ['-C', work, 'hash-object', '-w', '--stdin'], { input: 'x' })).stdout
  const entry = Buffer.concat([Buffer.from('40000 .git\0'), Buffer.from(await emptyTreeWith(blob), 'hex')])
  const tree = (
    await execa('git', ['-C', work, 'hash-object', '-t', 'tree', '--literally', '-w', '--stdin'], {
      input: entry,
    })
  ).stdout
  const evil = await git('commit-tree', '-m', 'evil', tree)
  await git('update-ref', 'refs/heads/main', evil)
  await expect(source({ path: '' }).poll(never, null)).rejects.toMatchObject({ code: 'SourceHostile' })
})

async function emptyTreeWith(blob: string): Promise<string> {
  return (await execa('git', ['-C', work, 'mktree'], { input: `100644 blob ${blob}\tconfig\n` })).stdout
}

test('a replace ref of the remote changes nothing', async () => {
  const honest = await git('rev-parse', 'HEAD')
  const other = await commit({ 'fleets/edge.yaml': 'a: evil\n' }, 'replacement')
  await git('reset', '--quiet', '--hard', honest)
  await git('replace', honest, other)
  await source().poll(never, null)
  const mirror = join(dir, 'mirror', 'mirror.git')
  await execa('git', [`--git-dir=${mirror}`, 'fetch', '--quiet', work, 'refs/replace/*:refs/replace/*'])
  const read = await source().poll(never, null)
  expect(read).toMatchObject({ commit: honest, subject: 'first', files: [{ text: 'a: 1\n' }] })
})

test('no hook and no configuration planted beside the mirror runs', async () => {
  await source().poll(never, null)
  const mark = join(dir, 'ran')
  const hooks = join(dir, 'mirror', 'mirror.git', 'hooks')
  await mkdir(hooks, { recursive: true })
  await writeFile(join(hooks, 'reference-transaction'), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
  await commit({ 'fleets/edge.yaml': 'a: 2\n' }, 'second')
  expect((await source().poll(never, null)).subject).toBe('second')
  expect(existsSync(mark)).toBe(false)
})

test('only the newest commit of a long history is kept', async () => {
  await commit({ 'fleets/edge.yaml': 'a: 2\n' }, 'second')
  await source().poll(never, null)
  expect(await readFile(join(dir, 'mirror', 'mirror.git', 'shallow'), 'utf8')).toMatch(/^[0-9a-f]{40}\n$/)
})

test.each([
  ['ext::sh -c touch% x', 'main', ''],
  ['--upload-pack=touch x', 'main', ''],
  ['fd::3', 'main', ''],
  ['ssh://-oProxyCommand=x/y', 'main', ''],
  ['-oProxyCommand=x:y', 'main', ''],
  ['relative/path', 'main', ''],
  ['/srv/x', '-x', ''],
  ['/srv/x', 'a..b', ''],
  ['/srv/x', '', ''],
  ['/srv/x', 'a b', ''],
  ['/srv/x', 'main', '../x'],
  ['/srv/x', 'main', '/etc'],
])('url %j with branch %j and path %j is refused before git sees it', (url, branch, path) => {
  expect(() => source({ url, branch, path })).toThrow(expect.objectContaining({ code: 'ConfigInvalid' }))
})

test('a remote that never answers ends at the time limit, and at once when aborted', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const url = `git://127.0.0.1:${port}/x`
  const limits = { fetchTimeoutMs: 500 }
  await expect(source({ url, limits }).poll(never, null)).rejects.toMatchObject({ code: 'SourceUnreachable' })
  const stop = new AbortController()
  const polling = source({ url }).poll(stop.signal, null)
  setTimeout(() => stop.abort(new Error('shutting down')), 300)
  await expect(polling).rejects.toThrow('shutting down')
  silent.close()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
