import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { OPERATOR_RULES } from './operator-rules.ts'
import type { MethodName } from './operator-rules.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
afterEach(() => world.reset())

type Client = Record<string, (...args: readonly unknown[]) => unknown>

/** What the operator kim is told: null when she is not refused for her role. */
async function refusal(name: MethodName, request: Record<string, unknown> = {}): Promise<string | null> {
  const client = world.operatorClient(world.operator) as unknown as Client
  const message = create(OperatorService.method[name].input, request as never)
  const options = { deadline: Date.now() + 60_000 }
  const error = await new Promise<ServiceError | null>((resolve) => {
    if (OperatorService.method[name].methodKind === 'unary') return client[name]?.(message, options, resolve)
    const stream = client[name]?.(message, options) as NodeJS.EventEmitter
    stream.on('data', () => undefined)
    return stream.on('error', (found: ServiceError) => resolve(found))
  })
  return error?.code === status.PERMISSION_DENIED ? error.details : null
}

const everyMethod = Object.keys(OPERATOR_RULES) as MethodName[]

describe('an operator without a role', () => {
  it.each(everyMethod)('may not call %s', async (name) => {
    world.bindings = [{ who: ['alice'], role: 'admin', fleets: ['*'] }]
    expect(await refusal(name)).toContain('operator kim')
  })

  it('is told who it is, what was asked, which role is needed and where it is given', async () => {
    world.bindings = []
    expect(await refusal('halt', { fleet: 'edge' })).toBe(
      'Halt needs role operate, and operator kim has it for none; roles are given in a file that operators.bindingsFile names in the controller’s configuration',
    )
  })
})

describe('a role', () => {
  const ordersOf = async (role: 'view' | 'operate' | 'approve' | 'admin'): Promise<readonly string[]> => {
    world.bindings = [{ who: ['kim'], role, fleets: ['*'] }]
    world.snapshot = snapshotOfFleets(['edge'])
    const allowed: string[] = []
    for (const name of everyMethod) {
      const isOrder = OPERATOR_RULES[name].isOrder
      if (isOrder && (await refusal(name, { target: 'edge', fleet: 'edge' })) === null) allowed.push(name)
    }
    return allowed.toSorted()
  }
  const stopping = ['abortRollout', 'denyDigest', 'halt', 'pauseRollout', 'resumeHost', 'rollBackRollout']
  const goingOn = [
    'allowDigest',
    'approveRollout',
    'promoteRollout',
    'resumeRollout',
    'retryRollout',
    'unhalt',
  ]

  it('view orders nothing', async () => expect(await ordersOf('view')).toEqual([]))
  it('operate stops', async () => expect(await ordersOf('operate')).toEqual(stopping))
  it('approve lets go on too', async () =>
    expect(await ordersOf('approve')).toEqual([...stopping, ...goingOn].toSorted()))
  it('admin may order everything', async () =>
    expect(await ordersOf('admin')).toEqual(
      everyMethod.filter((name) => OPERATOR_RULES[name].isOrder).toSorted(),
    ))

  it('for one fleet reaches no other, and not all of them', async () => {
    world.bindings = [{ who: ['kim'], role: 'operate', fleets: ['edge-*'] }]
    world.snapshot = snapshotOfFleets(['edge-eu', 'shop'])
    expect(await refusal('halt', { fleet: 'edge-eu' })).toBeNull()
    expect(await refusal('pauseRollout', { target: 'edge-eu' })).toBeNull()
    expect(await refusal('halt', { fleet: 'shop' })).toContain(
      'Halt on fleet "shop" needs role operate for it, and operator kim has none there',
    )
    expect(await refusal('halt', { fleet: '' })).toContain('needs role operate for every fleet ("*")')
    expect(await refusal('retryRollout', { host: 'shop-1' })).toContain('needs role operate')
  })

  it('says of what does not exist what it says of what may not be seen', async () => {
    world.bindings = [{ who: ['kim'], role: 'operate', fleets: ['edge'] }]
    world.snapshot = snapshotOfFleets(['edge', 'shop'])
    const [ofOne, ofNone] = [
      await refusal('why', { host: 'nobody' }),
      await refusal('trace', { host: 'none' }),
    ]
    expect(ofOne?.replace('Why', '')).toBe(ofNone?.replace('Trace', ''))
    expect(ofOne).toContain('has none that reaches it')
  })
})
