import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { ControllerError } from '../errors.ts'

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly token: string }

const authEntrySchema = z.object({ auth: z.string().optional(), identitytoken: z.string().optional() })
type AuthEntry = z.output<typeof authEntrySchema>

const authFileSchema = z.object({
  auths: z.record(z.string(), authEntrySchema).optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
})
type AuthFile = z.output<typeof authFileSchema>

type Environment = {
  readonly REGISTRY_AUTH_FILE?: string | undefined
  readonly XDG_RUNTIME_DIR?: string | undefined
  readonly XDG_CONFIG_HOME?: string | undefined
  readonly DOCKER_CONFIG?: string | undefined
}

/** Where podman and docker keep logins, in podman's order; a file named on purpose is the only one. */
export function defaultAuthFiles(environment: Environment, homeDir: string): readonly string[] {
  if (environment.REGISTRY_AUTH_FILE !== undefined) return [environment.REGISTRY_AUTH_FILE]
  const runtime = environment.XDG_RUNTIME_DIR
  return [
    ...(runtime === undefined ? [] : [`${runtime}/containers/auth.json`]),
    `${environment.XDG_CONFIG_HOME ?? `${homeDir}/.config`}/containers/auth.json`,
    `${environment.DOCKER_CONFIG ?? `${homeDir}/.docker`}/config.json`,
  ]
}

/** Read anew each time, so that a new login needs no restart. The first file that knows the repository wins. */
export async function findCredentials(
  authFiles: readonly string[],
  host: string,
  path: string,
): Promise<Credentials> {
  for (const file of authFiles) {
    const content = await readAuthFile(file)
    const found = content === null ? null : credentialsIn(content, file, namespacesOf(host, path))
    if (found !== null) return found
  }
  return { kind: 'none' }
}

async function readAuthFile(file: string): Promise<AuthFile | null> {
  try {
    return authFileSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    // The cause could quote the file's text, which holds passwords.
    throw new ControllerError(
      'RegistryDenied',
      `reading the registry logins in ${file}: not readable or not in the form of an auth.json; repair or remove it`,
    )
  }
}

/** `registry.example/os/edge`, `registry.example/os`, `registry.example`: the most specific key wins. */
function namespacesOf(host: string, path: string): readonly string[] {
  const parts = [host, ...path.split('/')]
  const keys = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
  return host === 'docker.io'
    ? [...keys, 'https://index.docker.io/v1/', 'index.docker.io']
    : [...keys, `https://${host}`]
}

function credentialsIn(content: AuthFile, file: string, namespaces: readonly string[]): Credentials | null {
  for (const key of namespaces) {
    const entry = Object.hasOwn(content.auths ?? {}, key) ? content.auths?.[key] : undefined
    const login = entry === undefined ? null : loginOf(entry, key, file)
    if (login !== null) return login
    const helper = content.credHelpers?.[key] ?? (entry === undefined ? undefined : content.credsStore)
    if (helper !== undefined) throw helperNotRun(helper, key, file)
  }
  return null
}

function loginOf(entry: AuthEntry, key: string, file: string): Credentials | null {
  const { auth = '', identitytoken: token = '' } = entry
  if (token !== '') return { kind: 'identity-token', token }
  return auth === '' ? null : decoded(auth, key, file)
}

function helperNotRun(helper: string, key: string, file: string): ControllerError {
  const found = `${file} names the credential helper "${helper}", and helpers are not run`
  const remedy = `store the login itself: podman login --authfile ${file} ${key}`
  return new ControllerError('RegistryDenied', `logging in to ${key}: ${found}; ${remedy}`)
}

function decoded(auth: string, key: string, file: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon > 0) return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) }
  throw new ControllerError(
    'RegistryDenied',
    `logging in to ${key}: its entry in ${file} is no "user:password" in base64; log in again`,
  )
}
