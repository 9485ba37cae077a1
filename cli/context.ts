import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { writeWhole } from './dev/state-file.ts'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** How to reach one controller, and as whom. Relative paths are relative to the file. */
const ContextFile = z.strictObject({
  address: z.string().min(1),
  ca: z.string().min(1),
  /** Missing while nobody is logged in. */
  certificate: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
  /** Set by `bootfleet dev`: the state directory of the running one. */
  devStateDir: z.string().min(1).optional(),
  /** Set by `bootfleet login`: where, and with which SSH key or file of a token. */
  login: z
    .strictObject({
      server: z.string().min(1),
      sshKey: z.string().min(1).optional(),
      oidcTokenFile: z.string().min(1).optional(),
    })
    .optional(),
})
export type ContextFile = z.infer<typeof ContextFile>
export type Context = ContextFile & { readonly certificate: string; readonly key: string }

export type ContextLocation = {
  readonly path: string
  readonly from: 'flag' | 'environment' | 'choice' | 'default'
}

type World = Pick<Terminal, 'environment' | 'homeDir'>

/** The context that is one file of its own, as it was before contexts had names. */
export const DEFAULT_NAME = 'default'

/** A word without a slash that does not end in .json is the name of a context; anything else is a file. */
export function isContextName(word: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(word) && !word.endsWith('.json')
}

/** Flag, then environment, then what was chosen with `context use`, then the default one. */
export async function locateContext(flag: string | undefined, world: World): Promise<ContextLocation> {
  if (flag !== undefined) return { path: pathOf(flag, world), from: 'flag' }
  const fromEnvironment = world.environment['BOOTFLEET_CONTEXT']
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    return { path: pathOf(fromEnvironment, world), from: 'environment' }
  }
  const chosen = await chosenContext(world)
  if (chosen === null) return { path: namedContextPath(DEFAULT_NAME, world), from: 'default' }
  return { path: namedContextPath(chosen, world), from: 'choice' }
}

function pathOf(word: string, world: World): string {
  return isContextName(word) ? namedContextPath(word, world) : resolve(word)
}

/** Where `context use` keeps its word. */
export function choicePath(world: World): string {
  return join(configDir(world), 'current-context')
}

export function namedContextPath(name: string, world: World): string {
  return name === DEFAULT_NAME
    ? join(configDir(world), 'context.json')
    : join(contextsDir(world), `${name}.json`)
}

export function contextsDir(world: World): string {
  return join(configDir(world), 'contexts')
}

function configDir({ environment, homeDir }: World): string {
  const configured = environment['XDG_CONFIG_HOME']
  const base = configured === undefined || configured === '' ? join(homeDir, '.config') : configured
  return join(base, 'bootfleet')
}

/** @throws CliError ContextInvalid. */
export async function chosenContext(world: World): Promise<string | null> {
  const path = choicePath(world)
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return null
  const name = text.trim()
  if (isContextName(name)) return name
  throw new CliError(
    'ContextInvalid',
    `read the chosen context: ${path} holds no name of one; "bootfleet context use NAME" writes it anew`,
  )
}

/** Of the files that a login makes, beside the context. */
export function loginFilesOf(path: string): { readonly identity: string; readonly authority: string } {
  const stem = basename(path, '.json')
  return { identity: `${stem}.login.pem`, authority: `${stem}.login-ca.pem` }
}

export async function readContext(location: ContextLocation): Promise<Context> {
  const file = await readContextFile(location)
  if (file === null) throw new CliError('ContextMissing', missingMessage(location))
  const { certificate, key, ca, login } = file
  if (certificate === undefined || key === undefined) {
    const todo = login === undefined ? 'write certificate and key there, or run' : 'nobody is logged in; run'
    throw new CliError(
      'LoginNeeded',
      `the context ${location.path} names no certificate: ${todo} "bootfleet login"`,
    )
  }
  const base = dirname(location.path)
  return { ...file, ca: resolve(base, ca), certificate: resolve(base, certificate), key: resolve(base, key) }
}

/** As it is written; null when there is none. */
export async function readContextFile({ path }: Pick<ContextLocation, 'path'>): Promise<ContextFile | null> {
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return null
  const parsed = ContextFile.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  const found = z.prettifyError(parsed.error).replaceAll('\n', ' ')
  throw new CliError('ContextInvalid', `read the context ${path}: ${found}`)
}

export function writeContext(path: string, context: ContextFile): Promise<void> {
  return writeWhole(path, `${JSON.stringify(context, null, 2)}\n`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function missingMessage({ path, from }: ContextLocation): string {
  const how = {
    flag: 'named by --context',
    environment: 'named by BOOTFLEET_CONTEXT',
    choice: 'chosen with "bootfleet context use"',
    default: 'and neither --context nor BOOTFLEET_CONTEXT is given',
  }[from]
  return `no context: ${path} cannot be read (${how}); "bootfleet context list" shows those that are there, or start one with "bootfleet dev", log in with "bootfleet login", or write one with "bootfleet context set"`
}
