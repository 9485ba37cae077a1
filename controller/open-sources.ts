import { join } from 'node:path'
import { SINGLE_SOURCE } from './accepted-commits.ts'
import type { SourceConfig } from './source-config.ts'
import type { Source } from './source-loop.ts'
import { createFolderSource } from './sources/folder.ts'
import { createGitSource } from './sources/git.ts'
import { normalFolder, withoutCredentials } from './sources/git-url.ts'

/** Each git source has a mirror of its own below the state directory. */
export function openSource(config: SourceConfig, stateDir: string): Source {
  const { name, path } = config
  if (config.kind === 'folder') {
    const folder = createFolderSource({ path })
    const pollIntervalMs = config.pollInterval
    return { name, url: path, branch: '', pollIntervalMs, poll: (signal) => folder.poll(signal) }
  }
  const { url, branch, credentials, pollInterval, verify } = config
  const mirrorDir = join(stateDir, name === SINGLE_SOURCE ? 'git' : `git-${name}`)
  const repository = createGitSource({ url, branch, path, credentials, verify, mirrorDir })
  const folder = normalFolder(path)
  const root = folder === '' ? undefined : `${folder}/`
  const poll: Source['poll'] = async (signal, accepted) => {
    const snapshot = await repository.poll(signal, accepted)
    return root === undefined
      ? snapshot
      : { ...snapshot, files: snapshot.files.map((file) => ({ ...file, root })) }
  }
  return { name, url: withoutCredentials(url), branch, pollIntervalMs: pollInterval, poll }
}
