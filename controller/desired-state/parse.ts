import { byCodeUnits } from './canonical-json.ts'
import { codeFrame } from './code-frame.ts'
import { readYaml } from './document.ts'
import type { Flaw, YamlFile } from './document.ts'
import { quote } from './issue.ts'
import { flawAt, lineOf } from './located.ts'
import type { Complain, Located } from './located.ts'
import { readManifest } from './manifest.ts'
import { isPermitFile, maxPermits, readPermitFile, tooManyPermits } from './permits.ts'
import { isAllowRemoval, readAllowRemoval } from './removal.ts'
import { resolveManifests } from './resolve.ts'
import type { Issue, ParseResult, SourceFile } from './types.ts'
import { isKeyFile } from './verification.ts'

/** Enough to work with; a broken generator must not flood status. */
export const maxIssues = 50

/** All files of a commit, taken whole or not at all. */
export function parseDesiredState(files: readonly SourceFile[]): ParseResult {
  const issues: Issue[] = []
  const located: Located[] = []
  const removable = new Set<string>()
  const permits: Pick<SourceFile, 'path' | 'text'>[] = []
  const keyFiles = new Map(
    files.flatMap((file) => (isKeyFile(file.path) ? [[file.path, file] as const] : [])),
  )
  const note = (flaws: readonly Flaw[], file: SourceFile, positionOf: YamlFile['positionOf']) => {
    for (const flaw of flaws.slice(0, maxIssues - issues.length)) issues.push(issueOf(flaw, file, positionOf))
  }
  for (const file of files.toSorted((left, right) => byCodeUnits(left.path, right.path))) {
    if (isKeyFile(file.path)) continue
    if (isAllowRemoval(file.path)) {
      const { flaws, names, positionOf } = readAllowRemoval(file.text)
      for (const name of names) removable.add(name)
      note(flaws, file, positionOf)
      continue
    }
    if (isPermitFile(file.path)) {
      const { flaws, positionOf } = readPermitFile(file)
      permits.push({ path: file.path, text: file.text })
      note(permits.length > maxPermits ? [tooManyPermits, ...flaws] : flaws, file, positionOf)
      continue
    }
    const yaml = readYaml(file.text)
    for (const document of yaml.documents) {
      const { manifest, flaws } = document.ok
        ? readManifest(document)
        : { manifest: null, flaws: document.flaws }
      if (manifest !== null) located.push({ manifest, file, yaml })
      note(flaws, file, yaml.positionOf)
    }
  }
  const complain: Complain = ({ file, yaml }, flaw) => {
    if (issues.length < maxIssues) issues.push(issueOf(flaw(), file, yaml.positionOf))
  }
  refuseDuplicates(located, complain)
  const resolved = resolveManifests(located, keyFiles, complain)
  return issues.length === 0
    ? {
        ok: true,
        desiredState: {
          ...resolved,
          removable: [...removable].toSorted(byCodeUnits),
          ...(permits.length > 0 && { permits }),
        },
      }
    : { ok: false, issues: issues.toSorted(byPosition) }
}

function refuseDuplicates(located: readonly Located[], complain: Complain): void {
  const first = new Map<string, Located>()
  for (const current of located) {
    const { kind, name } = current.manifest
    const other = first.get(`${kind}/${name}`)
    if (other === undefined) {
      first.set(`${kind}/${name}`, current)
      continue
    }
    const place = `${other.file.path}:${lineOf(other)}`
    const message = `metadata.name: a second ${kind} ${quote(name)}; the first is at ${place}`
    complain(current, () => flawAt(current, ['metadata', 'name'], { message }))
  }
}

function issueOf(flaw: Flaw, file: SourceFile, positionOf: YamlFile['positionOf']): Issue {
  const { line, column } = positionOf(flaw.offset)
  const { message, suggestion } = flaw
  return { path: file.path, line, column, message, suggestion, frame: codeFrame(file.text, line, column) }
}

function byPosition(left: Issue, right: Issue): number {
  return byCodeUnits(left.path, right.path) || left.line - right.line || left.column - right.column
}
