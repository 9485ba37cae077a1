import { create } from '@bufbuild/protobuf'
import { FleetLimitsSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { FleetLimits } from '../../proto/gen/bootfleet/v1/operator_pb.ts'

/** One of each: a budget that is full, a window that is closed, a freeze to come. */
export function limitsOfEdge(nowMs: number): FleetLimits {
  return create(FleetLimitsSchema, {
    unavailable: 1,
    unavailableMax: 12,
    downloading: 3,
    downloadsMax: 10,
    perMinute: 20,
    budgets: [{ topologyKey: 'site', value: 'eu', unavailable: 1, unavailableMax: 1 }],
    windows: [
      { action: 'Activate', turnsAtMs: BigInt(nowMs + 280_000_000), opens: 'Thu 22:00 Europe/Berlin' },
    ],
    freezes: [{ name: 'month end', fromMs: BigInt(nowMs + 700_000_000), toMs: BigInt(nowMs + 800_000_000) }],
  })
}
