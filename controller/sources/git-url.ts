import { ControllerError } from '../errors.ts'

const schemes: readonly string[] = ['file', 'git', 'http', 'https', 'ssh']

/** The one protocol git needs for this URL; everything else, `ext::` above all, stays forbidden. */
export function protocolOf(url: string): string {
  const scheme = /^([a-z]+):\/\/[^-]/.exec(url)?.[1]
  if (scheme !== undefined && schemes.includes(scheme)) return scheme
  if (url.startsWith('/')) return 'file'
  const scpLike = /^(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9._][A-Za-z0-9._-]*:(?!:|\/\/)[^-]/
  if (scheme === undefined && scpLike.test(url)) return 'ssh'
  const wanted = 'an absolute path, user@host:path, or a URL of file, git, http, https or ssh'
  throw new ControllerError(
    'ConfigInvalid',
    `source url "${withoutCredentials(url)}" is not understood: give ${wanted}`,
  )
}

export function checkBranch(branch: string): void {
  const hostile = /^[-/.]|[\p{Cc} ~^:?*[\\]|\.\.|\/\/|@\{|[/.]$|\.lock$/u
  if (branch !== '' && branch.length <= 255 && !hostile.test(branch)) return
  throw new ControllerError(
    'ConfigInvalid',
    `source branch ${JSON.stringify(branch)} is not the name of a git branch`,
  )
}

/** The folder inside the repository, without leading "./" or trailing "/"; empty for the whole repository. */
export function normalFolder(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (!path.startsWith('/') && !parts.includes('..') && !path.includes('\0')) return parts.join('/')
  throw new ControllerError(
    'ConfigInvalid',
    `source path "${path}" leaves the repository: give a folder inside it`,
  )
}

export type GitRemote = {
  readonly url: string
  /** Settings that hold a secret: anyone on the machine may read a process's arguments, so not for those. */
  readonly secretSettings: readonly (readonly [key: string, value: string])[]
}

/** Takes the user and password of an http or https URL out of it. */
export function remoteOf(url: string): GitRemote {
  if (!/^https?:\/\/[^/]*@/.test(url) || !URL.canParse(url)) return { url, secretSettings: [] }
  const { origin, username, password } = new URL(url)
  const pair = `${decode(username)}:${decode(password)}`
  const header = `Authorization: Basic ${Buffer.from(pair).toString('base64')}`
  return {
    url: url.replace(/^(https?:\/\/)[^/]*@/, '$1'),
    secretSettings: [[`http.${origin}/.extraHeader`, header]],
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Passwords and tokens in URLs must not reach a log or status. */
export function withoutCredentials(text: string): string {
  return text
    .replaceAll(/:\/\/[^/\s'"]*@/g, '://')
    .replaceAll(/([?&][^=&\s]*(?:token|secret|password)[^=&\s]*=)[^&\s'"]*/gi, '$1…')
}
