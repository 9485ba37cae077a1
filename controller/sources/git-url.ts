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

export type GitLogin = { readonly username: string; readonly password: string }

/** Takes the user and password of an http or https URL out of it; `login` wins over them. */
export function remoteOf(url: string, login: GitLogin | null = null): GitRemote {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return { url, secretSettings: [] }
  const { origin, username, password } = new URL(url)
  const bare = url.replace(/^(https?:\/\/)[^/]*@/, '$1')
  if (login === null && bare === url) return { url, secretSettings: [] }
  const user = login ?? { username: decode(username), password: decode(password) }
  const pair = Buffer.from(`${user.username}:${user.password}`).toString('base64')
  return { url: bare, secretSettings: [[`http.${origin}/.extraHeader`, `Authorization: Basic ${pair}`]] }
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

/**
 * What is alike in all addresses of one repository: `https://git.example/os/fleet.git`, `git@git.example:os/fleet`
 * and `ssh://git@git.example:2222/os/fleet` are `git.example/os/fleet`. Empty for what is no address.
 */
export function repositoryKey(url: string): string {
  const scpLike = /^(?:[^@/\s]*@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(url)
  const [host, path] =
    scpLike === null
      ? URL.canParse(url)
        ? [new URL(url).hostname, new URL(url).pathname]
        : ['', url.startsWith('/') ? url : '']
      : [scpLike[1] ?? '', scpLike[2] ?? '']
  const name = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '')
  return name === '' ? '' : `${host}/${name}`.toLowerCase()
}
