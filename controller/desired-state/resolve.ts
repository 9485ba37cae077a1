import { byCodeUnits, canonicalJson } from './canonical-json.ts'
import { formatDuration } from './duration.ts'
import { quote } from './issue.ts'
import { flawAt, lineOf } from './located.ts'
import type { Complain, Located } from './located.ts'
import { builtInStrategyName } from './reserved-names.ts'
import { didYouMean } from './spelling.ts'
import { withDefaults } from './strategy-defaults.ts'
import type { DesiredState, Fleet, Freeze, HostDeclaration, Strategy } from './types.ts'
import { resolveVerification } from './verification.ts'
import type { KeyFiles } from './verification.ts'

/** What documents mean together: references hold, and every default is written out. */
export function resolveManifests(
  located: readonly Located[],
  keyFiles: KeyFiles,
  complain: Complain,
): Omit<DesiredState, 'removable'> {
  const strategies = strategiesOf(located, complain)
  const fleets = fleetsOf({ located, strategies, keyFiles }, complain)
  refuseFollowing(located, complain)
  return {
    fleets: fleets.toSorted(byName),
    hosts: hostsOf(located).toSorted(byName),
    freezes: freezesOf({ fleets, located, strategies }, complain).toSorted(byName),
  }
}

/** By name; null for one that has flaws, so that references to it hold. */
type Strategies = ReadonlyMap<string, Strategy | null>

function strategiesOf(located: readonly Located[], complain: Complain): Strategies {
  const builtIn = withDefaults(builtInStrategyName, {})
  const strategies = new Map<string, Strategy | null>([[builtInStrategyName, builtIn]])
  for (const current of located) {
    const { content, kind, name } = current.manifest
    if (kind !== 'RolloutStrategy') continue
    const strategy = content?.kind === 'RolloutStrategy' ? withDefaults(name, content.spec) : null
    if (strategy !== null) refuseImpossible(current, strategy, complain)
    if (name !== builtInStrategyName) strategies.set(name, strategy)
    else if (strategy !== null && canonicalJson(strategy) !== canonicalJson(builtIn)) {
      const message = `metadata.name: "${name}" is the name of the built-in strategy; take another`
      complain(current, () => flawAt(current, ['metadata', 'name'], { message }))
    }
  }
  return strategies
}

/** Only visible once defaults are in: the one may be written and the other not. */
function refuseImpossible(current: Located, strategy: Strategy, complain: Complain): void {
  const { activateMs, healthMs } = strategy.deadlines
  if (strategy.health.stableForMs >= healthMs) {
    const message =
      'spec.health.stableFor: is not shorter than deadlines.health, so that no host could become healthy'
    complain(current, () => flawAt(current, ['spec', 'health', 'stableFor'], { message }))
  }
  for (const [index, { actions, durationMs, kind }] of strategy.windows.entries()) {
    if (kind === 'Deny' || !actions.includes('Activate') || durationMs >= activateMs + healthMs) continue
    const needed = formatDuration(activateMs + healthMs)
    const message = `spec.windows[${index}].duration: is shorter than deadlines.activate and deadlines.health together (${needed}), so that no activation could end inside it`
    complain(current, () => flawAt(current, ['spec', 'windows', index, 'duration'], { message }))
  }
}

type Read = { readonly located: readonly Located[]; readonly strategies: Strategies }

function fleetsOf(
  { keyFiles, located, strategies }: Read & { readonly keyFiles: KeyFiles },
  complain: Complain,
): Fleet[] {
  const fleets: Fleet[] = []
  for (const current of located) {
    const { content, name } = current.manifest
    if (content?.kind !== 'Fleet') continue
    const { spec } = content
    const wanted = spec.strategy ?? builtInStrategyName
    const strategy = strategies.get(wanted)
    if (strategy === undefined) {
      const message = `spec.strategy: there is no RolloutStrategy ${quote(wanted)}`
      complain(current, () => {
        const suggestion = didYouMean(wanted, [...strategies.keys()])
        return flawAt(current, ['spec', 'strategy'], { message, suggestion })
      })
    }
    // Off: a plan that says more is refused by agents that are older than the check.
    const { lint = 'Off', reference: image, verify: asked } = spec.image
    const verify = asked === undefined ? null : resolveVerification(current, asked, { complain, keyFiles })
    if (strategy === undefined || strategy === null) continue
    const declaredAt = { path: current.file.path, line: lineOf(current) }
    const { deny = [], downgrade = 'Deny', requires = [], selector, suspend = false } = spec
    const rules = { requires, downgrade, deny }
    fleets.push({ name, selector, image, verify, lint, strategy, suspend, ...rules, declaredAt })
  }
  return fleets
}

/** A fleet must follow one that there is, and in the end one that follows none. */
function refuseFollowing(located: readonly Located[], complain: Complain): void {
  const followed = new Map<string, string | null>()
  for (const { manifest } of located) {
    if (manifest.kind !== 'Fleet') continue
    const image = manifest.content?.kind === 'Fleet' ? manifest.content.spec.image.reference : null
    followed.set(manifest.name, image?.kind === 'fleet' ? image.fleet : null)
  }
  for (const current of located) {
    const { content, name } = current.manifest
    const image = content?.kind === 'Fleet' ? content.spec.image.reference : null
    if (image?.kind !== 'fleet') continue
    const { fleet } = image
    const path = ['spec', 'image', 'from', 'fleet']
    if (!followed.has(fleet)) {
      const message = `spec.image.from.fleet: there is no Fleet ${quote(fleet)}`
      complain(current, () => {
        const others = [...followed.keys()].filter((other) => other !== name)
        return flawAt(current, path, { message, suggestion: didYouMean(fleet, others) })
      })
    } else if (followsItself(name, { first: fleet, followed })) {
      const message = `spec.image.from.fleet: ${quote(name)} would follow itself`
      complain(current, () => flawAt(current, path, { message }))
    }
  }
}

function followsItself(
  name: string,
  { first, followed }: { readonly first: string; readonly followed: ReadonlyMap<string, string | null> },
): boolean {
  let next: string | null = first
  for (let steps = 0; next !== null && steps <= followed.size; steps += 1) {
    if (next === name) return true
    next = followed.get(next) ?? null
  }
  return false
}

function hostsOf(located: readonly Located[]): HostDeclaration[] {
  return located.flatMap(({ manifest: { content, name } }) => {
    if (content?.kind !== 'Host') return []
    const {
      allowUnguardedBoot = false,
      hold = null,
      kernelArguments = [],
      labels = {},
      pin = null,
    } = content.spec
    const allowed = allowUnguardedBoot && { allowUnguardedBoot }
    return [{ name, labels, pin, hold, ...allowed, ...(kernelArguments.length > 0 && { kernelArguments }) }]
  })
}

/** Of the strategies that one does not hold, those that no fleet uses say nothing. */
function freezesOf(
  { fleets, located, strategies }: Read & { readonly fleets: readonly Fleet[] },
  complain: Complain,
): Freeze[] {
  const used = new Set(fleets.map(({ strategy }) => strategy.name))
  const freezes: Freeze[] = []
  for (const current of located) {
    const { content, name } = current.manifest
    if (content?.kind !== 'Freeze') continue
    const except = new Set(content.spec.except.filter((strategy) => used.has(strategy)))
    freezes.push({ name, ...content.spec, except: [...except].toSorted(byCodeUnits) })
    for (const [index, strategy] of content.spec.except.entries()) {
      if (strategies.has(strategy)) continue
      const message = `spec.except[${index}]: there is no RolloutStrategy ${quote(strategy)}`
      complain(current, () => {
        const suggestion = didYouMean(strategy, [...strategies.keys()])
        return flawAt(current, ['spec', 'except', index], { message, suggestion })
      })
    }
  }
  return freezes
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return byCodeUnits(left.name, right.name)
}
