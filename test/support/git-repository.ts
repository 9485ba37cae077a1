import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type GitRepository = {
  /** Path of the bare repository. */
  readonly url: string
  /** Write files (null deletes), commit and push; returns the commit. */
  commit(files: Readonly<Record<string, string>>, subject: string): string
  /** Replace the whole history by one commit of these files and push it by force. */
  rewrite(files: Readonly<Record<string, string>>, subject: string): string
}

/** A real bare repository with a work tree beside it. */
export function createGitRepository(dir: string): GitRepository {
  const bare = join(dir, 'fleet.git')
  const work = join(dir, 'work')
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Kim',
    GIT_AUTHOR_EMAIL: 'kim@example.org',
    GIT_COMMITTER_NAME: 'Kim',
    GIT_COMMITTER_EMAIL: 'kim@example.org',
  }
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: dir, env, encoding: 'utf8' }).trim()
  git('init', '-q', '--bare', '-b', 'main', bare)
  git('init', '-q', '-b', 'main', work)
  const commit = (files: Readonly<Record<string, string>>, subject: string): string => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(work, path)), { recursive: true })
      writeFileSync(join(work, path), text)
    }
    git('-C', work, 'add', '-A')
    git('-C', work, 'commit', '-q', '-m', subject)
    git('-C', work, 'push', '-q', '--force', bare, 'HEAD:main')
    return git('-C', work, 'rev-parse', 'HEAD')
  }
  return {
    url: bare,
    commit,
    rewrite(files, subject) {
      git('-C', work, 'checkout', '-q', '--orphan', `rewritten-${Date.now()}`)
      git('-C', work, 'rm', '-rqf', '.')
      return commit(files, subject)
    },
  }
}
