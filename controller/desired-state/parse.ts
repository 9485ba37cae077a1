import { byCodeUnits } from './canonical-json.ts'
import { codeFrame } from './code-frame.ts'
import { readYaml } from './document.ts'
import type { Flaw, YamlFile } from './document.ts'
import { quote } from './issue.ts'
import { didYouMean, readManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { builtInStrategyName, withDefaults } from './strategy-defaults.ts'
import type { Fleet, Issue, ParseResult, SourceFile, Strategy } from './types.ts'

/** Enough to work with; a broken generator must not flood status. */
export const maxIssues = 50

type Located = { readonly manifest: Manifest; readonly file: SourceFile; readonly yaml: YamlFile }

/** All files of a commit, taken whole or not at all. */
export function parseDesiredState(files: readonly SourceFile[]): ParseResult {
  const issues: Issue[] = []
  const located: Located[] = []
  for (const file of files.toSorted((left, right) => byCodeUnits(left.path, right.path))) {
    const yaml = readYaml(file.text)
    for (const document of yaml.documents) {
      const { manifest, flaws } = document.ok
        ? readManifest(document)
        : { manifest: null, flaws: document.flaws }
      if (manifest !== null) located.push({ manifest, file, yaml })
      for (const flaw of flaws.slice(0, maxIssues - issues.length)) issues.push(issueOf(flaw, file, yaml))
    }
  }
  const complain = ({ file, yaml }: Located, flaw: Flaw) => {
    if (issues.length < maxIssues) issues.push(issueOf(flaw, file, yaml))
  }
  refuseDuplicates(located, complain)
  const fleets = resolveFleets(located, complain)
  return issues.length === 0
    ? { ok: true, desiredState: { fleets } }
    : { ok: false, issues: issues.toSorted(byPosition) }
}

type Complain = (about: Located, flaw: Flaw) => void

function refuseDuplicates(located: readonly Located[], complain: Complain): void {
  const first = new Map<string, Located>()
  for (const current of located) {
    const { kind, name, document } = current.manifest
    const offset = document.offsetOf(['metadata', 'name'], 'value')
    const flaw = (text: string): Flaw => ({ offset, message: `metadata.name: ${text}`, suggestion: null })
    if (kind === 'RolloutStrategy' && name === builtInStrategyName) {
      complain(current, flaw(`"${name}" is the name of the built-in strategy; take another`))
    }
    const other = first.get(`${kind}/${name}`)
    if (other === undefined) first.set(`${kind}/${name}`, current)
    else
      complain(
        current,
        flaw(`a second ${kind} ${quote(name)}; the first is at ${other.file.path}:${lineOf(other)}`),
      )
  }
}

function resolveFleets(located: readonly Located[], complain: Complain): readonly Fleet[] {
  const strategies = new Map<string, Strategy>([[builtInStrategyName, withDefaults(builtInStrategyName, {})]])
  const declared = new Set([builtInStrategyName])
  for (const { manifest } of located) {
    if (manifest.kind === 'RolloutStrategy') declared.add(manifest.name)
    if (manifest.content?.kind === 'RolloutStrategy') {
      const strategy = withDefaults(manifest.name, manifest.content.spec)
      strategies.set(manifest.name, strategy)
    }
  }
  for (const current of located) refuseUnreachableHealth(current, strategies, complain)
  const fleets: Fleet[] = []
  for (const current of located) {
    const { name, content, document } = current.manifest
    if (content?.kind !== 'Fleet') continue
    const { selector, image, suspend = false, strategy: wanted = builtInStrategyName } = content.spec
    const strategy = strategies.get(wanted)
    const declaredAt = { path: current.file.path, line: lineOf(current) }
    if (strategy !== undefined) fleets.push({ name, selector, image, strategy, suspend, declaredAt })
    if (declared.has(wanted)) continue
    const message = `spec.strategy: there is no RolloutStrategy ${quote(wanted)}`
    const offset = document.offsetOf(['spec', 'strategy'], 'value')
    complain(current, { offset, message, suggestion: didYouMean(wanted, [...declared]) })
  }
  return fleets.toSorted((left, right) => byCodeUnits(left.name, right.name))
}

/** Only visible once defaults are in: the one may be written and the other not. */
function refuseUnreachableHealth(
  current: Located,
  strategies: ReadonlyMap<string, Strategy>,
  complain: Complain,
): void {
  const { content, document, name } = current.manifest
  const strategy = content?.kind === 'RolloutStrategy' ? strategies.get(name) : undefined
  if (strategy === undefined || strategy.health.stableForMs < strategy.deadlines.healthMs) return
  const offset = document.offsetOf(['spec', 'health', 'stableFor'], 'value')
  const message =
    'spec.health.stableFor: is not shorter than deadlines.health, so that no host could become healthy'
  complain(current, { offset, message, suggestion: null })
}

function lineOf({ manifest, yaml }: Located): number {
  return yaml.positionOf(manifest.document.startOffset).line
}

function issueOf(flaw: Flaw, file: SourceFile, yaml: YamlFile): Issue {
  const { line, column } = yaml.positionOf(flaw.offset)
  const { message, suggestion } = flaw
  return { path: file.path, line, column, message, suggestion, frame: codeFrame(file.text, line, column) }
}

function byPosition(left: Issue, right: Issue): number {
  return byCodeUnits(left.path, right.path) || left.line - right.line || left.column - right.column
}
