import { parseDuration } from '../../controller/desired-state/duration.ts'
import type { HostDeclaration, Strategy } from '../../controller/desired-state/types.ts'
import type { ResolvedImage, WantedFleet } from '../../controller/rollout/wanted.ts'
import { imageOf } from './rollout-agent.ts'

type Options = Readonly<Record<string, string>>

/**
 * git edge 2.0.0 suspend=yes selects=site:berlin requires=2.0.0:1.9.0 (below, via) deny=1.5.0 downgrade=Allow
 * follows=staging:24h
 */
export function wantedFrom(name: string, version: string, strategy: Strategy, options: Options): WantedFleet {
  const [followed = '', succeededFor = ''] = (options['follows'] ?? '').split(':')
  const [label = '', value = ''] = (options['selects'] ?? '').split(':')
  return {
    name,
    selector: label === '' ? { kind: 'all' } : { kind: 'match', labels: { [label]: value }, expressions: [] },
    strategy,
    suspend: options['suspend'] === 'yes',
    revision: followed === '' ? `rev-${version}` : '',
    image: followed === '' ? imageOf(version) : null,
    follows: followed === '' ? null : { fleet: followed, succeededForMs: parseDuration(succeededFor) ?? 0 },
    pins: [],
    requires: listOf(options['requires']).map((each) => {
      const [below = '', via = ''] = each.split(':')
      return { below, via: imageOf(via), reason: 'new keys' }
    }),
    downgrade: options['downgrade'] === 'Allow' ? 'Allow' : 'Deny',
    deny: listOf(options['deny']).map((each) => ({ digest: imageOf(each).digest, reason: 'issue 7' })),
  }
}

function listOf(written: string | undefined): readonly string[] {
  return written === undefined ? [] : written.split(',')
}

export function declarationFrom(name: string, options: Options, nowMs: number): HostDeclaration {
  const { because = '', hold, pin, ...labels } = options
  const heldMs = hold === undefined || hold === 'yes' ? null : (parseDuration(hold) ?? 0)
  return {
    name,
    labels,
    pin: pin === undefined ? null : imageOf(pin).digest,
    hold: hold === undefined ? null : { untilMs: heldMs === null ? null : nowMs + heldMs, reason: because },
  }
}

/** What a pin's digest is; scenario images have their version in their digest. */
export function pinnedImage(digest: string): ResolvedImage {
  return { repository: 'os', digest, version: '', manifests: { amd64: `${digest.slice(0, -1)}a` } }
}
