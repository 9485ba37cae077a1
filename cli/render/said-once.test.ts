import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { FleetStatusSchema, StatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { describeRollout } from './describe.ts'
import { renderFleet } from './status.ts'
import { plain } from './style.ts'

const digest = `sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`
const failed = 'failed health check web-up (exit status 1)'
const cause = `till-17 ${failed} in wave "canary"`
const message = `back on 42.0.9: ${cause}; 42.1.0 is denied; git must name another digest`
const view = { style: plain, headers: true, columns: null }

it('why a rollout failed is said once, and what else there is beside', () => {
  const fleet = create(FleetStatusSchema, {
    name: 'edge',
    state: 'RolledBack',
    digest,
    message,
    denied: [{ digest, reason: cause }],
    rollout: {
      fleet: 'edge',
      state: 'RolledBack',
      digest,
      message,
      startedAtMs: 1_790_000_000_000n,
      waves: [
        { name: 'canary', state: 'Failed', hostsTotal: 1, message: cause },
        { name: 'rest', state: 'Cancelled', hostsTotal: 2, message: 'cancelled' },
      ],
      attention: [
        {
          hostName: 'till-17',
          phase: 'RolledBack',
          message: `rolled back: ${failed}`,
          evidence: 'entry bootfleet-4 used its 3 tries',
          doneBytes: 1_099_999n,
          totalBytes: 1_100_000n,
        },
        { hostName: 'till-2', phase: 'Cancelled', message: 'cancelled: withdrawn: the rollout failed' },
      ],
    },
  })
  const text = renderFleet(create(StatusSchema, { fleets: [fleet] }), fleet, view)
  expect(text.split(failed)).toHaveLength(2)
  expect(text.split('\n').slice(4)).toEqual([
    ' wave    hosts  updated               state        gate',
    ' canary  0/1    ░░░░░░░░░░░░░░░░░░░░  ✖ Failed     as above',
    ' rest    0/2    ░░░░░░░░░░░░░░░░░░░░  · Cancelled  cancelled',
    ' ✖ till-17  RolledBack  rolled back: as above',
    '     entry bootfleet-4 used its 3 tries',
    ' · till-2   Cancelled   cancelled: withdrawn: the rollout failed',
    ` ⊘ denied ${digest}: as above`,
    '',
  ])
  const { rollout } = fleet
  if (rollout === undefined) throw new Error('no rollout')
  expect(describeRollout(rollout, 0, view).split(failed)).toHaveLength(2)
})
