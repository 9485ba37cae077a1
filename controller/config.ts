import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { CHAIN_FILE } from '../trust/chain-file.ts'
import { HOST_LIFE_MAX_MS } from '../proto/identity.ts'
import { AnalysisConfig, analysisWithPaths } from './analysis/analysis-config.ts'
import { closest } from './desired-state/spelling.ts'
import { ControllerError } from './errors.ts'
import { OidcConfig, oidcWithPaths } from './oidc-config.ts'
import { ImageTrustConfig, imageTrustWithPaths } from './image-trust.ts'
import {
  Duration,
  Git,
  Listen,
  Sources,
  sourcesOf,
  Webhooks,
  webhooksWithPaths,
  withPaths,
} from './source-config.ts'
import type { SourceConfig } from './source-config.ts'

const GIBIBYTE = 1024 ** 3
const HOST_LIFE_MIN_MS = 10_000
const LOGIN_LIFE = { minMs: 5 * 60_000, defaultMs: 8 * 3_600_000, maxMs: 24 * 3_600_000 }

/** The controller's configuration file; paths in it are relative to the file. */
const ConfigFile = z.strictObject({
  stateDir: z.string().min(1),
  /** The short form of `sources` with this one repository. */
  git: Git.optional(),
  sources: Sources.optional(),
  webhooks: Webhooks.optional(),
  analysis: AnalysisConfig.default({ checks: {} }),
  registry: z
    .strictObject({ plainHttpHosts: z.array(z.string()).default([]) })
    .default({ plainHttpHosts: [] }),
  images: ImageTrustConfig.default({ keys: {}, trustedRoots: {} }),
  nats: z.strictObject({ url: z.string().min(1), monitorUrl: z.url({ protocol: /^https?$/ }) }),
  grpc: z.strictObject({ listen: Listen }),
  /** Where hosts without a certificate ask for one; without it nobody can. */
  join: z
    .strictObject({
      listen: Listen,
      /** Where hosts reach what they need, told to one that has no configuration of its own yet. */
      controllerAddress: Listen.optional(),
      natsUrl: z.url({ protocol: /^(nats|tls)$/ }).optional(),
    })
    .optional(),
  /** Where operators see the web page; without it there is none. */
  web: z.strictObject({ listen: Listen }).optional(),
  pki: z.strictObject({
    dir: z.string().min(1),
    /** The trust bundles that hosts get; default: trust.jsonl in `dir`. */
    trust: z.string().min(1).optional(),
    /** Of host certificates, which hosts renew at half of it. */
    hostCertificateLife: Duration.refine(
      (lifeMs) => lifeMs >= HOST_LIFE_MIN_MS && lifeMs <= HOST_LIFE_MAX_MS,
      'a host certificate lives from "10s" to "24h"',
    ).default(HOST_LIFE_MAX_MS),
  }),
  operators: z
    .strictObject({
      /** Who may do what; without a file the operator `admin` may do everything. */
      bindingsFile: z.string().min(1).optional(),
      /** Of the certificate that a login brings; who logs in may ask for less. */
      loginLife: Duration.refine(
        (lifeMs) => lifeMs >= LOGIN_LIFE.minMs && lifeMs <= LOGIN_LIFE.maxMs,
        'a login lasts from "5m" to "24h"',
      ).default(LOGIN_LIFE.defaultMs),
      oidc: OidcConfig.optional(),
    })
    .default({ loginLife: LOGIN_LIFE.defaultMs }),
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
type ParsedConfig = Omit<z.infer<typeof ConfigFile>, 'git' | 'sources'> & {
  readonly sources: readonly SourceConfig[]
}
export type Config = ParsedConfig & { readonly pki: { readonly trust: string } }

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
    pki: pkiWithPaths(config.pki, base),
    operators: operatorsWithPaths(config.operators, base),
    analysis: analysisWithPaths(config.analysis, base),
    images: imageTrustWithPaths(config.images, base),
    sources: config.sources.map((source) => withPaths(source, base)),
    ...(config.webhooks === undefined ? {} : { webhooks: webhooksWithPaths(config.webhooks, base) }),
  }
}

function pkiWithPaths(pki: ParsedConfig['pki'], base: string): Config['pki'] {
  const dir = resolve(base, pki.dir)
  return { ...pki, dir, trust: pki.trust === undefined ? join(dir, CHAIN_FILE) : resolve(base, pki.trust) }
}

function operatorsWithPaths(operators: ParsedConfig['operators'], base: string): Config['operators'] {
  const { bindingsFile, oidc, ...others } = operators
  return {
    ...others,
    ...(bindingsFile === undefined ? {} : { bindingsFile: resolve(base, bindingsFile) }),
    ...(oidc === undefined ? {} : { oidc: oidcWithPaths(oidc, base) }),
  }
}

export function parseConfig(text: string, path: string): ParsedConfig {
  const value = readYaml(text, path)
  const parsed = ConfigFile.safeParse(value)
  if (parsed.success) {
    const { git, sources: listed, ...rest } = parsed.data
    const sources = sourcesOf({ git, sources: listed })
    if (typeof sources !== 'string') return { ...rest, sources }
    throw new ControllerError('ConfigInvalid', `reading ${path}: ${sources}`)
  }
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
  const known = keysAt(ConfigFile, at)
  return issue.keys.map((key) => {
    const meant = closest(key, known)
    const suggestion =
      meant === null ? `known are ${known.join(', ')}` : `did you mean ${[...at, meant].join('.')}?`
    return `${[...at, key].join('.')} is unknown; ${suggestion}`
  })
}

function keysAt(schema: z.ZodType, path: readonly string[]): readonly string[] {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
  const inner = wrapped ? (schema.unwrap() as z.ZodType) : schema
  const [head, ...rest] = path
  if (inner instanceof z.ZodArray) return keysAt(inner.element as z.ZodType, rest)
  if (!(inner instanceof z.ZodObject)) return []
  if (head === undefined) return Object.keys(inner.shape)
  const next = (inner.shape as Readonly<Record<string, z.ZodType>>)[head]
  return next === undefined ? [] : keysAt(next, rest)
}
