import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type SshKey = { readonly file: string; readonly publicKey: string; readonly fingerprint: string }
export type GpgKey = { readonly fingerprint: string; readonly home: string }
export type CommitOptions = {
  readonly key?: SshKey | GpgKey | null
  readonly files?: Readonly<Record<string, string | null>>
  /** Of the committer, who may write what he likes. */
  readonly date?: string
}

export type SignedRepository = {
  readonly url: string
  git(...args: string[]): string
  commit(subject: string, options?: CommitOptions): string
  /** Merges a branch with a merge commit. */
  merge(branch: string, options?: CommitOptions): string
}

/** A repository whose commits are signed by git itself, with keys that ssh-keygen and gpg made. */
export function createSignedRepository(dir: string): SignedRepository {
  const work = join(dir, 'signed')
  mkdirSync(work)
  const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}): string =>
    execFileSync('git', ['-C', work, ...args], { encoding: 'utf8', env: environment(more) }).trim()
  run(['init', '-q', '-b', 'main'])
  const signed = (command: readonly string[], { key = null, files = {}, date }: CommitOptions): string => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(work, path)), { recursive: true })
      if (text === null) rmSync(join(work, path))
      else writeFileSync(join(work, path), text)
    }
    if (command[0] === 'commit') run(['add', '--all'])
    const dates = date === undefined ? {} : { GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date }
    const home = key !== null && 'home' in key ? { GNUPGHOME: key.home } : {}
    run([...settingsOf(key), ...command, ...(key === null ? ['--no-gpg-sign'] : ['-S'])], {
      ...dates,
      ...home,
    })
    return run(['rev-parse', 'HEAD'])
  }
  return {
    url: work,
    git: (...args) => run(args),
    commit: (subject, options = {}) => signed(['commit', '-q', '--allow-empty', '-m', subject], options),
    merge: (branch, options = {}) => signed(['merge', '-q', '--no-ff', '--no-edit', branch], options),
  }
}

function settingsOf(key: SshKey | GpgKey | null): readonly string[] {
  if (key === null) return []
  const format = 'home' in key ? 'openpgp' : 'ssh'
  const name = 'home' in key ? key.fingerprint : key.file
  return ['-c', `gpg.format=${format}`, '-c', `user.signingKey=${name}`]
}

function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const identity = ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, 'Kim'],
    [`GIT_${who}_EMAIL`, 'kim@example.org'],
  ])
  return { ...process.env, ...Object.fromEntries(identity), GIT_CONFIG_GLOBAL: '/dev/null', ...more }
}

export function makeSshKey(dir: string, name: string): SshKey {
  const file = join(dir, `${name}.key`)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file])
  const publicKey = readFileSync(`${file}.pub`, 'utf8').trim()
  const listed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' })
  return { file, publicKey, fingerprint: listed.split(' ')[1] ?? '' }
}

/** One line of an allowed_signers file. */
export function allowed(principal: string, { publicKey }: SshKey, options = 'namespaces="git"'): string {
  return `${principal} ${options} ${publicKey}\n`
}
