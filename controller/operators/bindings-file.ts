import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { parseDocument } from 'yaml'
import * as z from 'zod'
import { ControllerError } from '../errors.ts'
import { accountId, parseSshKey } from './login-keys.ts'
import type { LoginKey } from './login-keys.ts'
import { ROLES } from './roles.ts'
import type { Binding } from './roles.ts'

/** The roles of operators and the keys with which they log in, as the file stands. */
export type OperatorRoles = {
  readonly bindings: () => readonly Binding[]
  readonly loginKeys: () => readonly LoginKey[]
  /** Where an operator who is refused finds what would have to be written; part of a sentence. */
  readonly givenIn: string
  /** Takes every change of the file; `onTaken` is given its SHA-256. Resolves when `signal` fires. */
  readonly watch: (signal: AbortSignal, onTaken?: (sha256: string) => void) => Promise<void>
}

export type BindingsFileOptions = {
  readonly path: string
  readonly logger: Logger
  /** Between two looks at the file. Default: 5 s. */
  readonly pollMs?: number
}

const POLL_MS = 5_000
const SIZE_MAX_BYTES = 256 * 1024

const Who = z
  .string()
  .regex(/^(?:\*|[a-z0-9][a-z0-9._-]{0,62})$/, 'it is neither the name of an operator nor "*"')
const OperatorName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'it is no name of an operator')
const SshKey = z.string().transform((line, context) => {
  const parsed = parseSshKey(line)
  if (typeof parsed !== 'string') return parsed
  context.addIssue(parsed)
  return z.NEVER
})
const Account = z.string().min(1).max(255)
const FleetPattern = z
  .string()
  .regex(/^[a-z0-9*](?:[a-z0-9.*-]{0,61}[a-z0-9*])?$/, 'it is no name of a fleet, in which "*" may stand')

const BindingsFile = z.strictObject({
  /** Who may log in, and with what; it says nothing of what they may do then. */
  operators: z
    .array(
      z.strictObject({
        name: OperatorName,
        sshKeys: z.array(SshKey).max(16).default([]),
        /** As the claim that `operators.oidc` of the configuration names says it. */
        oidcSubjects: z.array(Account).max(16).default([]),
      }),
    )
    .max(256)
    .default([]),
  bindings: z
    .array(
      z.strictObject({
        who: z.array(Who).min(1).max(256),
        role: z.enum(ROLES),
        fleets: z.array(FleetPattern).min(1).max(256),
      }),
    )
    .max(256),
})

/** Of a trust that was made before there were roles: the operator that it made may do everything. */
export const defaultRoles: OperatorRoles = {
  bindings: () => [{ who: ['admin'], role: 'admin', fleets: ['*'] }],
  loginKeys: () => [],
  givenIn: 'a file that operators.bindingsFile names in the controller’s configuration',
  watch: (signal) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    }),
}

/**
 * The file that the configuration names, else the one that `bootfleet trust init` made in `pkiDir`.
 * @throws ControllerError ConfigInvalid.
 */
export async function openOperatorRoles(options: {
  readonly bindingsFile: string | undefined
  readonly pkiDir: string
  readonly logger: Logger
}): Promise<OperatorRoles> {
  const { bindingsFile, pkiDir, logger } = options
  if (bindingsFile !== undefined) return openBindingsFile({ path: bindingsFile, logger })
  const path = join(pkiDir, 'operators.yaml')
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  return isThere ? openBindingsFile({ path, logger }) : defaultRoles
}

/** @throws ControllerError ConfigInvalid naming every field that is wrong. */
export async function openBindingsFile({
  path,
  logger,
  pollMs = POLL_MS,
}: BindingsFileOptions): Promise<OperatorRoles> {
  let text = await readText(path)
  let current = parseOperators(text, path)
  return {
    bindings: () => current.bindings,
    loginKeys: () => current.loginKeys,
    givenIn: `${basename(path)} of the controller`,
    async watch(signal, onTaken = () => undefined) {
      while (!signal.aborted) {
        await delay(pollMs, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return
        try {
          const found = await readText(path)
          if (found === text) continue
          text = found
          current = parseOperators(found, path)
          const [bindings, loginKeys] = [current.bindings.length, current.loginKeys.length]
          logger.info({ bindings, loginKeys }, 'roles of operators read anew')
          onTaken(createHash('sha256').update(found).digest('hex'))
        } catch (error) {
          logger.error({ error: String(error) }, 'roles of operators not taken; those before stay in force')
        }
      }
    },
  }
}

export type Operators = { readonly bindings: readonly Binding[]; readonly loginKeys: readonly LoginKey[] }

/** @throws ControllerError ConfigInvalid. */
export function parseOperators(text: string, path: string): Operators {
  const parsed = BindingsFile.safeParse(readYaml(text, path))
  if (parsed.success) {
    const { bindings, operators } = parsed.data
    const loginKeys = operators.flatMap(({ name: operator, sshKeys, oidcSubjects }) => [
      ...sshKeys.map(({ id }) => ({ operator, id })),
      ...oidcSubjects.map((subject) => ({ operator, id: accountId(subject) })),
    ])
    const twice = loginKeys.find(({ id }, index) => loginKeys.findIndex((key) => key.id === id) !== index)
    if (twice === undefined) return { bindings, loginKeys }
    throw unusable(
      path,
      `operators: a key or account of ${twice.operator} is written twice, and would say nothing of who logs in`,
    )
  }
  const issues = parsed.error.issues.map(
    ({ path: at, message }) => `${at.map(String).join('.') || 'the file'}: ${message}`,
  )
  throw unusable(path, issues.slice(0, 10).join('; '))
}

function readYaml(text: string, path: string): unknown {
  try {
    const document = parseDocument(text)
    // A tag that means nothing to us is only a warning there, and here a sign that something else was meant.
    const [found] = [...document.errors, ...document.warnings]
    if (found !== undefined) throw found
    return document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw unusable(path, `it is no YAML: ${String(cause)}`, cause)
  }
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw unusable(path, cause.code ?? cause.message, cause)
  })
  if (bytes.length > SIZE_MAX_BYTES) throw unusable(path, `it has more than ${SIZE_MAX_BYTES} bytes`)
  return bytes.toString('utf8')
}

function unusable(path: string, found: string, cause?: unknown): ControllerError {
  return new ControllerError('ConfigInvalid', `reading the roles of operators in ${path}: ${found}`, {
    cause,
  })
}
