import { resolve } from 'node:path'
import * as z from 'zod'
import { SINGLE_SOURCE } from './accepted-commits.ts'
import { parseDuration } from './desired-state/duration.ts'

export const Duration = z.string().transform((text, context) => {
  const valueMs = parseDuration(text)
  if (valueMs !== null && valueMs > 0) return valueMs
  context.addIssue('it is no duration (for example "30s" or "5m")')
  return z.NEVER
})
export const Listen = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'it is no HOST:PORT')

const FileName = z.string().min(1)
const PollInterval = Duration.default(30_000)
const SOURCES_MAX = 16

const CommitStatus = z.strictObject({
  forge: z.enum(['github', 'gitlab', 'gitea', 'forgejo']),
  /** As the forge names it: `owner/name`, in GitLab also `group/subgroup/name`. */
  repository: z.string().regex(/^[\w.-]+(\/[\w.-]+)+$/, 'it is no OWNER/NAME'),
  tokenFile: FileName,
  /** Base of the forge's API; needed where it is not the public one. */
  apiUrl: z.url({ protocol: /^https?$/ }).optional(),
})

const commitHash = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const COMMITS_MAX = 1000

const Verify = z
  .strictObject({
    commits: z.enum(['ssh', 'gpg']),
    /** In the repository; read from the commits before the one that is judged. */
    allowedSigners: z
      .string()
      .regex(/^(?!\/)(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\p{Cc}]+$/u, 'it is no path in the repository')
      .optional(),
    /** Of the controller: for all commits, or where the list is in the repository for the first one. */
    allowedSignersFile: FileName.optional(),
    revokedSignersFile: FileName.optional(),
    keyringFile: FileName.optional(),
    startCommit: z.string().regex(commitHash, 'it is no whole commit hash').optional(),
    maxCommits: z.int().positive().max(COMMITS_MAX).default(256),
  })
  .superRefine(({ commits, keyringFile, allowedSigners, allowedSignersFile, startCommit }, context) => {
    if ((commits === 'gpg') !== (keyringFile !== undefined))
      context.addIssue('keyringFile goes with "commits: gpg", and only with it')
    if (allowedSignersFile === undefined && (allowedSigners === undefined || startCommit === undefined))
      context.addIssue('name allowedSignersFile, or allowedSigners in the repository and a startCommit')
  })

export const Git = z.strictObject({
  url: z.string().min(1),
  branch: z.string().min(1).default('main'),
  path: z.string().default('.'),
  pollInterval: PollInterval,
  credentials: z
    .strictObject({ username: z.string().min(1).default('git'), passwordFile: FileName })
    .optional(),
  /** Further addresses by which a forge names the repository in its webhooks. */
  webhookUrls: z.array(z.string().min(1)).max(8).default([]),
  commitStatus: CommitStatus.optional(),
  /** Off without it. */
  verify: Verify.optional(),
})

const Folder = z.strictObject({ path: FileName, pollInterval: PollInterval })

const Entry = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, 'it is no name: a-z, 0-9 and "-", at most 32'),
  git: Git.optional(),
  folder: Folder.optional(),
})

export const Sources = z.array(Entry).min(1).max(SOURCES_MAX)

const Secret = z.strictObject({ secretFile: FileName })

/** Off without it. */
export const Webhooks = z.strictObject({
  listen: Listen,
  tls: z.strictObject({ certificateFile: FileName, keyFile: FileName }).optional(),
  github: Secret.optional(),
  gitlab: Secret.optional(),
  gitea: Secret.optional(),
  forgejo: Secret.optional(),
  registry: Secret.optional(),
})

export type CommitStatusConfig = z.infer<typeof CommitStatus>
export type WebhooksConfig = z.infer<typeof Webhooks>
export type SourceConfig =
  | ({ readonly kind: 'git'; readonly name: string } & z.infer<typeof Git>)
  | ({ readonly kind: 'folder'; readonly name: string } & z.infer<typeof Folder>)

type Written = {
  readonly git?: z.infer<typeof Git> | undefined
  readonly sources?: z.infer<typeof Sources> | undefined
}

/** The list that `git` or `sources` means, or what is wrong with them. */
export function sourcesOf({ git, sources }: Written): readonly SourceConfig[] | string {
  if ((git === undefined) === (sources === undefined)) {
    return 'write either git (one repository) or sources (a list of repositories and folders)'
  }
  if (git !== undefined) return [{ kind: 'git', name: SINGLE_SOURCE, ...git }]
  const listed: SourceConfig[] = []
  for (const { name, git: repository, folder } of sources ?? []) {
    if (listed.some((other) => other.name === name)) return `sources: two have the name "${name}"`
    if (repository !== undefined && folder === undefined) listed.push({ kind: 'git', name, ...repository })
    else if (folder !== undefined && repository === undefined)
      listed.push({ kind: 'folder', name, ...folder })
    else return `sources: "${name}" needs either git or folder`
  }
  return listed
}

/** File names start at the folder of the configuration file. */
export function withPaths(source: SourceConfig, base: string): SourceConfig {
  if (source.kind === 'folder') return { ...source, path: resolve(base, source.path) }
  const { credentials, commitStatus, verify, ...rest } = source
  return {
    ...rest,
    ...(credentials === undefined
      ? {}
      : { credentials: { ...credentials, passwordFile: resolve(base, credentials.passwordFile) } }),
    ...(commitStatus === undefined
      ? {}
      : { commitStatus: { ...commitStatus, tokenFile: resolve(base, commitStatus.tokenFile) } }),
    ...(verify === undefined ? {} : { verify: verifyWithPaths(verify, base) }),
  }
}

function verifyWithPaths(verify: z.infer<typeof Verify>, base: string): z.infer<typeof Verify> {
  const files = ['allowedSignersFile', 'revokedSignersFile', 'keyringFile'] as const
  const named = files.flatMap((key) =>
    verify[key] === undefined ? [] : [[key, resolve(base, verify[key])] as const],
  )
  return { ...verify, ...Object.fromEntries(named) }
}

export function webhooksWithPaths(
  { tls, listen, ...receivers }: WebhooksConfig,
  base: string,
): WebhooksConfig {
  const named = Object.entries(receivers).flatMap(([name, receiver]) =>
    receiver === undefined ? [] : [[name, { secretFile: resolve(base, receiver.secretFile) }] as const],
  )
  const files = tls && {
    certificateFile: resolve(base, tls.certificateFile),
    keyFile: resolve(base, tls.keyFile),
  }
  return { listen, ...(files === undefined ? {} : { tls: files }), ...Object.fromEntries(named) }
}
