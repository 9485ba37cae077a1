import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { imageOf } from '../deploy/image-of.ts'
import { SnapError } from '../errors.ts'
import { withFetchedImages } from '../install/scratch-store.ts'
import type { Finding, Profile } from '../lint/rule.ts'
import { profiles } from '../lint/rule.ts'
import { findingsIn, rules } from '../lint/rules.ts'
import { openTree } from '../lint/tree.ts'
import { readMachine } from '../machine.ts'
import { prepareStore } from '../store/paths.ts'
import { openView } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'

export type LintOptions = {
  profile: string | undefined
  list: boolean
  /** Null: the target is here. */
  fetch: { readonly stallMs: number } | null
}

type Subject = { root: string; profile: Profile }

/** Findings go to stdout before the error that makes the exit status: they are the result, refused or not. */
export async function lint(
  context: Context,
  target: string | undefined,
  options: LintOptions,
): Promise<string> {
  const asked = parseProfile(options.profile)
  if (options.list) return listRules(context, asked)
  if (target === undefined) {
    throw new SnapError('usage', 'lint needs an image or a folder; container-snap --help shows the forms')
  }
  if (options.fetch === null) return judge(context, target, await openSubject(context, target, asked))
  const fetching = { attempt: `lint ${target}`, stallMs: options.fetch.stallMs }
  return withFetchedImages(context, [target], fetching, async ([root = '']) =>
    judge(context, target, { root, profile: asked ?? 'systemd-boot' }),
  )
}

async function judge(context: Context, target: string, { root, profile }: Subject): Promise<string> {
  const findings = await findingsIn(openTree(root), profile)
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const text = report(context, { target, profile, findings, errors })
  if (errors === 0) return text
  context.emit(text.trimEnd())
  const count = errors === 1 ? '1 error' : `${errors} errors`
  throw new SnapError('refused', `lint ${target}: ${count}; put them right in the image's Containerfile`)
}

function parseProfile(asked: string | undefined): Profile | null {
  const profile = profiles.find((one) => one === asked)
  if (profile !== undefined || asked === undefined) return profile ?? null
  throw new SnapError('usage', `--profile=${asked}: only ${profiles.join(' and ')} are known`)
}

/** A folder needs no store: images are checked where they are built, in a container or on a laptop. */
async function openSubject(context: Context, target: string, asked: Profile | null): Promise<Subject> {
  if (await isFolder(target)) {
    return { root: resolve(target), profile: asked ?? (await machineProfile(context)) }
  }
  await prepareStore(context.paths)
  const view = await openView(context)
  const isCopy = /^[0-9a-f]{64}-/.test(target)
  const { path } = isCopy ? findSnapshot(view, target) : imageOf(view, target, 'lint')
  return { root: path, profile: asked ?? (await machineProfile(context)) }
}

async function isFolder(target: string): Promise<boolean> {
  const found = await stat(target).catch(() => null)
  if (found?.isDirectory() === true) return true
  if (/^\.{0,2}\//.test(target)) {
    throw new SnapError('not-found', `lint ${target}: no such folder; unpack or mount the image there first`)
  }
  return false
}

async function machineProfile(context: Context): Promise<Profile> {
  const { loader } = await readMachine(context.paths)
  return loader.kind === 'none' ? 'systemd-boot' : loader.kind
}

type Outcome = { target: string; profile: Profile; findings: readonly Finding[]; errors: number }

function report(context: Context, { target, profile, findings, errors }: Outcome): string {
  if (context.json) return jsonLine({ profile, findings, ok: errors === 0 })
  const lines = findings.map(({ severity, rule, message }) => `${severity} ${rule}: ${message}`)
  const warnings = findings.length - errors
  const counts = `${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
  return `${[...lines, `${target}: ${counts} (${profile})`].join('\n')}\n`
}

function listRules(context: Context, asked: Profile | null): string {
  const shown = rules.filter((rule) => asked === null || rule.severity[asked] !== undefined)
  if (context.json) {
    return jsonLine(shown.map(({ id, severity, description }) => ({ id, severity, description })))
  }
  const rows = shown.map(({ id, severity, description }) => {
    const per = profiles.flatMap((profile) => {
      const one = severity[profile]
      return one === undefined ? [] : [`${profile} ${one}`]
    })
    return `${id}: ${description} (${per.join(', ')})\n`
  })
  return rows.join('')
}
