import type { Freeze, HostDeclaration } from '../../controller/desired-state/types.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { between, pick } from './random.ts'
import type { Random } from './random.ts'
import type { Operation, SimulatedHostSpec, SimulatedImage } from './scenario.ts'

const hourMs = 3_600_000

export type Plot = {
  readonly fleets: readonly string[]
  readonly images: readonly SimulatedImage[]
  readonly hosts: readonly SimulatedHostSpec[]
  readonly startMs: number
  readonly durationMs: number
}

/** What an operator does; some of it makes no sense at that moment, as with people. */
export function randomOrder(random: Random, plot: Plot): Operation {
  const atMs = between(random, 0, plot.durationMs)
  const fleet = pick(random, plot.fleets)
  const { id: host, labels } = pick(random, plot.hosts)
  const { digest } = pick(random, plot.images.slice(1)).image
  return pick<() => Operation>(random, [
    () => ({ kind: pick(random, ['pause', 'resume', 'resume', 'promote', 'approve']), atMs, fleet }),
    () => ({ kind: pick(random, ['resume', 'abort', 'rollback']), atMs, fleet }),
    () => ({ kind: 'retry', atMs, fleet, host: random() < 0.5 ? null : host }),
    () => ({ kind: pick(random, ['deny', 'allow', 'allow']), atMs, fleet, digest }),
    () => ({ kind: pick(random, ['halt', 'unhalt', 'unhalt']), atMs, fleet: random() < 0.3 ? null : fleet }),
    () => ({
      kind: 'relabel',
      atMs,
      host,
      labels: { ...labels, fleet: pick(random, [...plot.fleets, 'none']) },
    }),
  ])()
}

/** What a fleet says beside its image: now and then suspended, denied, behind a barrier, pinned, or a follower. */
export function randomFleetRules(random: Random, plot: Plot, plain: WantedFleet): Partial<WantedFleet> {
  const [stable, ...others] = plot.images.map(({ image }) => image)
  const via = pick(random, others)
  const hasBarrier = stable !== undefined && random() < 0.08
  const follows = plain.name !== 'edge' && random() < 0.2
  const rules = {
    suspend: random() < 0.03,
    downgrade: random() < 0.1 ? ('Deny' as const) : ('Allow' as const),
    pins: others,
    deny: random() < 0.05 ? [{ digest: via.digest, reason: 'issue 123' }] : [],
    requires: hasBarrier ? [{ below: via.version, via, reason: 'new signing key' }] : [],
    revision: hasBarrier ? `${plain.revision} by ${via.version}` : plain.revision,
  }
  if (!follows) return rules
  const succeededForMs = between(random, 0, 6) * hourMs
  return { ...rules, image: null, revision: '', follows: { fleet: 'edge', succeededForMs } }
}

/** Pins and holds of single hosts. */
export function randomDeclarations(random: Random, plot: Plot): readonly HostDeclaration[] {
  if (random() < 0.7) return []
  const { labels, name } = pick(random, plot.hosts)
  const untilMs = random() < 0.5 ? null : plot.startMs + between(random, 0, plot.durationMs)
  const isPinned = random() < 0.5
  return [
    {
      name,
      labels: random() < 0.3 ? { ...labels, rack: 'r9' } : {},
      pin: isPinned ? pick(random, plot.images).image.digest : null,
      hold: isPinned ? null : { untilMs, reason: 'its board is swapped' },
    },
  ]
}

export function randomFreezes(random: Random, plot: Plot): readonly Freeze[] {
  if (random() < 0.85) return []
  const fromMs = plot.startMs + between(random, 0, plot.durationMs)
  return [
    {
      name: 'year-end',
      fromMs,
      toMs: fromMs + between(random, 1, 40) * hourMs,
      selector: random() < 0.5 ? { kind: 'all' } : { kind: 'match', labels: { rack: 'r1' }, expressions: [] },
      except: random() < 0.2 ? [pick(random, plot.fleets)] : [],
    },
  ]
}
