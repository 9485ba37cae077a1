import { X509Certificate } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { identityNamedIn } from '../proto/identity.ts'
import { DEFAULT_NAME, contextsDir, isContextName, namedContextPath, readContextFile } from './context.ts'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** What can be said of a context without a connection. */
export type ContextSummary = {
  readonly name: string
  readonly file: string
  readonly address: string
  /** Empty while nobody is logged in. */
  readonly operator: string
  readonly until: string
  /** Where it logs in; empty for one whose certificate an admin gave. */
  readonly loginServer: string
  /** Why it cannot be used, and what to do; empty when it can. */
  readonly problem: string
}

type World = Pick<Terminal, 'environment' | 'homeDir'>

/** Those with names, the default one first, the others by name; what is wrong with one stands in its line. */
export async function listContexts(world: World): Promise<readonly ContextSummary[]> {
  const files = await readdir(contextsDir(world)).catch(() => [])
  const names = files
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
    .filter((name) => isContextName(name) && name !== DEFAULT_NAME)
  const all = [DEFAULT_NAME, ...names.toSorted()]
  const found = await Promise.all(all.map((name) => summarise(name, namedContextPath(name, world))))
  return found.flatMap((summary) => summary ?? [])
}

/** Null when there is no such file. */
export async function summarise(name: string, file: string): Promise<ContextSummary | null> {
  const bare = { name, file, address: '', operator: '', until: '', loginServer: '' }
  try {
    const context = await readContextFile({ path: file })
    if (context === null) return null
    const loginServer = context.login?.server ?? ''
    const said = { ...bare, address: context.address, loginServer }
    if (context.certificate === undefined) return { ...said, problem: 'nobody is logged in' }
    return { ...said, ...(await readIdentity(resolve(dirname(file), context.certificate))) }
  } catch (error) {
    if (error instanceof CliError) return { ...bare, problem: error.message }
    throw error
  }
}

async function readIdentity(path: string): Promise<Pick<ContextSummary, 'operator' | 'until' | 'problem'>> {
  const pem = await readFile(path).catch(() => null)
  const certificate = pem === null ? null : certificateIn(pem)
  if (certificate === null) {
    const problem = `${path} ${pem === null ? 'cannot be read' : 'holds no certificate'}`
    return { operator: '', until: '', problem }
  }
  const identity = identityNamedIn(certificate)
  const until = new Date(certificate.validTo)
  return {
    operator: identity?.kind === 'operator' ? identity.name : '',
    until: until.toISOString(),
    problem: until.getTime() > Date.now() ? '' : 'the certificate has expired',
  }
}

function certificateIn(pem: Buffer): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}
