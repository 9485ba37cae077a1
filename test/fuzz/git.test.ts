import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { ControllerError } from '../../controller/errors.ts'
import { defaultFileLimits } from '../../controller/sources/file-limits.ts'
import { filesOf, textsOf } from '../../controller/sources/git-tree.ts'
import { parseFingerprints } from '../../controller/sources/gpg-signers.ts'
import { checkSignatures, parseRoster } from '../../controller/sources/signature-check.ts'
import { parseAllowedSigners } from '../../controller/sources/ssh-signers.ts'
import { allowed, createSignedRepository, makeSshKey } from '../support/signed-repository.ts'
import { fuzz, must, refusedAs } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

const scratch = mkdtempSync(join(tmpdir(), 'bootfleet-fuzz-git-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const kim = makeSshKey(scratch, 'kim')
const list = [
  '# who may sign',
  allowed('kim@example.org', kim).trim(),
  allowed(
    '"kim smith,*@example.org"',
    kim,
    'namespaces="git",valid-after="20260101Z",valid-before="203001010000"',
  ),
].join('\n')

fuzz('a list of ssh signers', () => ({
  seeds: [Buffer.from(list)],
  take: (input): Taken => {
    const signers = parseAllowedSigners(input.toString('utf8'))
    if (typeof signers === 'string') return 'refused'
    const whole = signers.every(({ fingerprint }) => /^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint))
    must(whole && signers.length > 0, 'a signer without a key was taken')
    return 'accepted'
  },
}))

fuzz('a list of fingerprints', () => ({
  seeds: [Buffer.from(`# gpg\n${'0123456789abcdef'.repeat(3).slice(0, 40)} Kim\n${'AB'.repeat(32)}\n`)],
  take: (input): Taken => {
    const found = parseFingerprints(input.toString('utf8'))
    if (typeof found === 'string') return 'refused'
    must(
      found.every((each) => /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(each)),
      'no fingerprint was taken for one',
    )
    return 'accepted'
  },
}))

const id = 'ab'.repeat(20)

fuzz('a tree as git lists it', () => ({
  seeds: [Buffer.from(`100644 blob ${id}      12\tfleet.yaml\0${'120000'} blob ${id}       5\tlink.yaml\0`)],
  take: (input): Promise<Taken> =>
    refusedAs([ControllerError], () => {
      const files = filesOf(input, 'hosts', defaultFileLimits)
      must(
        files.every(({ path }) => path.startsWith('hosts/')),
        'a file of another folder was taken',
      )
      return files.length === 0 ? 'refused' : 'accepted'
    }),
}))

fuzz('files as git hands them out', () => {
  const files = [
    { objectId: id, sizeBytes: 3, path: 'a.yaml' },
    { objectId: 'cd'.repeat(20), sizeBytes: 0, path: 'b.yaml' },
  ]
  return {
    seeds: [Buffer.from(`${id} blob 3\na: \n${'cd'.repeat(20)} blob 0\n\n`)],
    take: (stdout): Taken => {
      const texts = textsOf({ end: 'exited', exitCode: 0, stdout, complaint: '' }, files)
      must(texts === null || texts.length === files.length, 'a file was left out')
      return texts === null ? 'refused' : 'accepted'
    },
  }
})

fuzz('a signed commit, judged by git and by us', () => {
  const repository = createSignedRepository(scratch)
  const commits = [repository.commit('One', { key: kim }), repository.commit('Two', { key: kim })]
  const raw = (commit: string): Buffer =>
    execFileSync('git', ['-C', repository.url, 'cat-file', 'commit', commit])
  const seeds = commits.map((commit) => raw(commit))
  const covered = new Set(seeds.map((seed) => withoutSignature(seed)))
  const roster = parseRoster('ssh', allowed('kim@example.org', kim))
  if (typeof roster === 'string') throw new Error(roster)
  const gitDir = join(repository.url, '.git')
  const homeDir = join(scratch, 'home')
  mkdirSync(homeDir, { recursive: true })
  const limits = { ...defaultFileLimits, maxMirrorBytes: 1, fetchTimeoutMs: 1 }
  const place = { branch: 'main', folder: '', gitDir, homeDir, protocol: 'file', limits, what: 'the test' }
  const mirror = { remote: { url: repository.url, secretSettings: [] }, ...place }
  const means = { revoked: null, keyring: null, keyringFile: '', dir: scratch }
  return {
    seeds,
    // Three processes for each.
    share: 0.02,
    take: async (input): Promise<Taken> => {
      const words = ['-C', repository.url, 'hash-object', '-t', 'commit', '-w', '--stdin', '--literally']
      const commit = execFileSync('git', words, { input, encoding: 'utf8' }).trim()
      const question = { commits: [commit], roster, means, name: 'fuzz' }
      const answers = await checkSignatures(mirror, question, new AbortController().signal)
      if (typeof answers.get(commit) === 'string') return 'refused'
      must(covered.has(withoutSignature(input)), 'a commit was taken that nobody signed so')
      return 'accepted'
    },
  }
})

/** What a signature in a commit covers: everything but itself. */
function withoutSignature(commit: Buffer): string {
  return commit.toString('latin1').replace(/^gpgsig(?:-sha256)? .*\n(?: .*\n)*/gm, '')
}
