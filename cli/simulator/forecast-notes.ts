import type { HostPhase } from '../../controller/rollout/states.ts'
import type { GrantRecord } from '../../controller/rollout/records.ts'
import type { Write } from '../../controller/rollout/decision.ts'
import { nowOf } from './controller.ts'
import { fleetNameOf, ownersOf } from './population.ts'
import type { World } from './world-model.ts'

type Story = {
  rolloutId: string
  stagedAtMs: number | null
  activatedAtMs: number | null
  endedAtMs: number | null
  phase: HostPhase | null
  toDigest: string
}
export const untold: Story = {
  rolloutId: '',
  stagedAtMs: null,
  activatedAtMs: null,
  endedAtMs: null,
  phase: null,
  toDigest: '',
}

type Waited = { readonly hosts: Set<string>; waitedMs: number }

/** Instants are milliseconds after the beginning. */
export type Notes = {
  readonly setupMs: number
  /** By host. */
  readonly stories: Map<string, Story>
  /** By rollout and index. */
  readonly waves: Map<string, { began: number | null; ended: number | null }>
  /** By fleet and kind of reason. */
  readonly waited: Map<string, Waited>
  /** Of each fleet, before the beginning. */
  readonly generations: Map<string, number>
  /** What each host ran then. */
  readonly running: Map<string, string>
  /** When a fleet's records last changed. */
  readonly changes: Map<string, number>
  sampledAtMs: number
}

export function note(notes: Notes, world: World, write: Write): void {
  const atMs = world.elapsedMs - notes.setupMs
  if (write.kind === 'grant') {
    const { record } = write
    noteGrant(notes, world, record, atMs)
  }
  if (write.kind !== 'rollout') return
  notes.changes.set(write.record.fleet, atMs)
  for (const [index, { state }] of write.record.waves.entries()) {
    const key = `${write.record.id} ${index}`
    const times = notes.waves.get(key) ?? { began: null, ended: null }
    notes.waves.set(key, times)
    if (state !== 'Pending') times.began ??= atMs
    if (state === 'Succeeded' || state === 'Skipped' || state === 'Failed') times.ended ??= atMs
  }
}

function noteGrant(notes: Notes, { controller: { store } }: World, record: GrantRecord, atMs: number): void {
  const rollout = store.rollouts.get(record.rolloutId)
  if (rollout === undefined || rollout.generation <= (notes.generations.get(rollout.fleet) ?? 0)) return
  const before = notes.stories.get(record.hostId)
  // A newer rollout tells the host's story anew.
  const isSame = before?.rolloutId === record.rolloutId
  const story: Story = isSame ? before : { ...untold, rolloutId: record.rolloutId }
  notes.stories.set(record.hostId, story)
  if (record.direction === 'Forward') story.toDigest = (record.image ?? rollout.image).digest
  story.stagedAtMs ??= atMs
  if (record.activateUntilMs !== null) story.activatedAtMs ??= atMs
  story.endedAtMs = record.endedAtMs === null ? null : atMs
  story.phase = record.phase
  notes.changes.set(fleetNameOf(record.rolloutId), atMs)
}

/** What every host waits for now is taken for what it waited for since the last time. */
export function sample(notes: Notes, world: World): void {
  const { controller, office } = world
  const passedMs = world.elapsedMs - notes.sampledAtMs
  notes.sampledAtMs = world.elapsedMs
  if (controller.state === null || passedMs <= 0) return
  const now = { ...nowOf(controller, office), elapsedMs: 0 }
  for (const id of world.hosts.keys()) {
    const reason = controller.engine.explain(controller.state, id, now)
    if (reason.kind === 'Progressing' || reason.kind === 'Ended') continue
    const fleet = ownersOf(world, id)[0] ?? ''
    const key = `${fleet} ${reason.kind}`
    const waited = notes.waited.get(key) ?? { hosts: new Set(), waitedMs: 0 }
    notes.waited.set(key, waited)
    waited.hosts.add(id)
    waited.waitedMs += passedMs
  }
}
