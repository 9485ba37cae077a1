import type { Snapshot, SourceView } from '../../controller/grpc/status-view.ts'
import { imageOf } from './rollout-agent.ts'
import { fleetWith } from './rollout-fleet.ts'
import { enrol, newWorld, settleAll, want } from './rollout-world.ts'

/** Fleets of these names that run an image, each with one host, NAME-1; a host without a fleet, stray; a refused commit. */
export function snapshotOfFleets(names: readonly string[]): Snapshot {
  const world = newWorld()
  for (const fleet of names) enrol(world, `${fleet}-1`, imageOf('0.0.0').digest, { fleet })
  enrol(world, 'stray', imageOf('0.0.0').digest, { fleet: 'none' })
  const fleets = names.map((name) =>
    fleetWith('1.0.0', { name, selector: { kind: 'match', labels: { fleet: name }, expressions: [] } }),
  )
  want(world, fleets, 'c1')
  settleAll(world)
  return {
    state: world.state,
    sources: [source],
    presenceOf: () => ({ connected: true, lastSeenAtMs: 0, doneBytes: 0, totalBytes: 0 }),
    signerOf: () => '',
    imageEntryOf: () => null,
    term: 1,
    nowMs: world.wallMs,
  }
}

const source: SourceView = {
  name: 'main',
  url: 'https://git.example/fleet.git',
  branch: 'main',
  headCommit: 'c2',
  acceptedCommit: 'c1',
  acceptedSubject: 'Run 1.0.0 in the secret shop',
  acceptedSigner: '',
  rejection: { commit: 'c2', issues: ['shop.yaml:3:1: secret'] },
  error: 'shop: secret',
  lastPolledAtMs: 0,
  nextPollAtMs: 0,
  waiting: ['shop: secret'],
}
