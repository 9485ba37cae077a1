import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** How to reach one controller, and as whom. Relative paths are relative to the file. */
export const Context = z.strictObject({
  address: z.string().min(1),
  ca: z.string().min(1),
  certificate: z.string().min(1),
  key: z.string().min(1),
  /** Set by `bootfleet dev`: the state directory of the running one. */
  devStateDir: z.string().min(1).optional(),
})
export type Context = z.infer<typeof Context>

export type ContextLocation = { readonly path: string; readonly from: 'flag' | 'environment' | 'default' }

/** Flag, then environment, then the user's own file. */
export function locateContext(
  flag: string | undefined,
  terminal: Pick<Terminal, 'environment' | 'homeDir'>,
): ContextLocation {
  if (flag !== undefined) return { path: resolve(flag), from: 'flag' }
  const fromEnvironment = terminal.environment['BOOTFLEET_CONTEXT']
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    return { path: resolve(fromEnvironment), from: 'environment' }
  }
  return { path: defaultContextPath(terminal), from: 'default' }
}

export function defaultContextPath({
  environment,
  homeDir,
}: Pick<Terminal, 'environment' | 'homeDir'>): string {
  const configured = environment['XDG_CONFIG_HOME']
  const base = configured === undefined || configured === '' ? join(homeDir, '.config') : configured
  return join(base, 'bootfleet', 'context.json')
}

export async function readContext(location: ContextLocation): Promise<Context> {
  let text: string
  try {
    text = await readFile(location.path, 'utf8')
  } catch (cause) {
    throw new CliError('ContextMissing', missingMessage(location), { cause })
  }
  const parsed = Context.safeParse(parseJson(text))
  if (!parsed.success) {
    const found = z.prettifyError(parsed.error).replaceAll('\n', ' ')
    throw new CliError('ContextInvalid', `read the context ${location.path}: ${found}`)
  }
  const base = dirname(location.path)
  return {
    ...parsed.data,
    ca: resolve(base, parsed.data.ca),
    certificate: resolve(base, parsed.data.certificate),
    key: resolve(base, parsed.data.key),
  }
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
    default: 'and neither --context nor BOOTFLEET_CONTEXT is given',
  }[from]
  return `no context: ${path} cannot be read (${how}); start one with "bootfleet dev", or write {address, ca, certificate, key} there`
}
