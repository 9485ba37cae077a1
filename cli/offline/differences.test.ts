import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'
import type { DesiredState } from '../../controller/desired-state/types.ts'
import { HostStatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { allHostsFleet } from '../../test/support/all-hosts-fleet.ts'
import { differencesOf } from './differences.ts'
import { inventoryHostOf } from './inventory.ts'

const digest = `sha256:${'a'.repeat(64)}`
const text = allHostsFleet(digest, [['till-1', 'kernelArguments: [quiet]']])

function desiredState(): DesiredState {
  const result = parseDesiredState([{ path: 'all.yaml', text }])
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  return result.desiredState
}

/** What `diff` finds on the kernel's line of a host that the controller shows so. */
function foundOn(given: readonly string[] | null): unknown {
  const host = create(HostStatusSchema, {
    name: 'till-1',
    bootedDigest: digest,
    kernelLine: [{ argument: 'quiet', source: 'machine' }],
    ...(given !== null && { givenKernelArguments: { arguments: [...given] } }),
  })
  const request = { desiredState: desiredState(), hosts: [inventoryHostOf(host)], given: new Map() }
  return differencesOf(request).changed.map(({ kernelArguments }) => kernelArguments)
}

describe('kernel arguments that the machine has too', () => {
  it('are no difference where the host was given them', () => {
    expect(foundOn(['quiet'])).toEqual([])
  })

  it('are one where it was not, though they stand on its line', () => {
    expect(foundOn([])).toEqual([{ from: [], to: ['quiet'] }])
  })

  it('are none where the host does not say what it was given', () => {
    expect(foundOn(null)).toEqual([])
  })
})
