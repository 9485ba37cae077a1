import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { parseDuration } from './desired-state/duration.ts'
import { closest } from './desired-state/spelling.ts'
import { ControllerError } from './errors.ts'

const Duration = z.string().transform((text, context) => {
  const valueMs = parseDuration(text)
  if (valueMs !== null && valueMs > 0) return valueMs
  context.addIssue('it is no duration (for example "30s" or "5m")')
  return z.NEVER
})
const Listen = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'it is no HOST:PORT')
const GIBIBYTE = 1024 ** 3

/** The controller's configuration file; paths in it are relative to the file. */
const Config = z.strictObject({
  stateDir: z.string().min(1),
  git: z.strictObject({
    url: z.string().min(1),
    branch: z.string().min(1).default('main'),
    path: z.string().default('.'),
    pollInterval: Duration.default(30_000),
  }),
  registry: z
    .strictObject({ plainHttpHosts: z.array(z.string()).default([]) })
    .default({ plainHttpHosts: [] }),
  nats: z.strictObject({ url: z.string().min(1), monitorUrl: z.url({ protocol: /^https?$/ }) }),
  grpc: z.strictObject({ listen: Listen }),
  pki: z.strictObject({
    dir: z.string().min(1),
    /** Of host certificates. */
    hostCertificateLife: Duration.default(30 * 24 * 60 * 60 * 1000),
  }),
  limits: z
    .strictObject({
      downloadMaxBytes: z
        .int()
        .positive()
        .default(20 * GIBIBYTE),
    })
    .default({ downloadMaxBytes: 20 * GIBIBYTE }),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    })
    .default({ level: 'info' }),
})
export type Config = z.infer<typeof Config>

/** @throws ControllerError ConfigInvalid naming every field that is wrong. */
export async function readConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ControllerError('ConfigInvalid', `reading ${path}: ${String(cause)}`, { cause })
  })
  const config = parseConfig(text, path)
  const base = dirname(path)
  return {
    ...config,
    stateDir: resolve(base, config.stateDir),
    pki: { ...config.pki, dir: resolve(base, config.pki.dir) },
  }
}

export function parseConfig(text: string, path: string): Config {
  const value = readYaml(text, path)
  const parsed = Config.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.flatMap((issue) => describe(issue))
  throw new ControllerError('ConfigInvalid', `reading ${path}: ${issues.join('; ')}`)
}

function readYaml(text: string, path: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw new ControllerError('ConfigInvalid', `reading ${path}: it is no YAML: ${String(cause)}`, { cause })
  }
}

function describe(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') return [`${at.join('.') || 'the file'}: ${issue.message}`]
  const known = keysAt(Config, at)
  return issue.keys.map((key) => {
    const meant = closest(key, known)
    const suggestion =
      meant === null ? `known are ${known.join(', ')}` : `did you mean ${[...at, meant].join('.')}?`
    return `${[...at, key].join('.')} is unknown; ${suggestion}`
  })
}

function keysAt(schema: z.ZodType, path: readonly string[]): readonly string[] {
  const inner = schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema
  if (!(inner instanceof z.ZodObject)) return []
  const [head, ...rest] = path
  if (head === undefined) return Object.keys(inner.shape)
  const next = (inner.shape as Readonly<Record<string, z.ZodType>>)[head]
  return next === undefined ? [] : keysAt(next, rest)
}
