import { create } from '@bufbuild/protobuf'
import { HostStatusSchema, WhyResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { HostStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { before, nowMs, wanted } from './dashboard.ts'

export function hostsOfEdge(): HostStatus[] {
  const host = { fleet: 'edge', bootedDigest: before, bootedVersion: '42.0.9', connected: true }
  return [
    { ...host, hostId: 'id-2', name: 'till-2', phase: 'Rebooting', message: 'rebooting' },
    {
      ...host,
      hostId: 'id-3',
      name: 'till-3',
      phase: 'Pending',
      connected: false,
      conditions: ['Unreachable'],
      reason: 'Unreachable',
      message: whyTill3,
    },
    {
      fleet: 'edge',
      hostId: 'id-db',
      name: 'db-1',
      phase: 'ReportOnly',
      connected: true,
      conditions: ['ReportOnly'],
      reason: 'ReportOnly',
      message: whyDb1.message,
      reportOnly: {
        osId: 'fedora',
        osVersion: '42',
        osName: 'Fedora Linux 42 (IoT Edition)',
        imageReference: 'quay.example/vendor/os:42',
        imageLabels: { 'org.opencontainers.image.vendor': 'Example' },
      },
    },
    {
      ...host,
      hostId: 'id-17',
      name: 'till-17',
      phase: 'RolledBack',
      health: 'Healthy',
      labels: { site: 'eu' },
      message: 'fell back',
      evidence: ['entry used its 3 tries', 'sshd.service: exited with status 1'],
    },
  ].map((each) => create(HostStatusSchema, each))
}

const whyTill3 = 'not connected; it gets its turn when it reports'

export const whyDb1 = create(WhyResponseSchema, {
  hostName: 'db-1',
  fleet: 'edge',
  phase: 'ReportOnly',
  reason: 'ReportOnly',
  message: 'it only reports what it runs: its agent has the driver report-only, and is granted nothing',
  next: 'nothing, until its agent runs with host.driver: container-snap, on a machine that boots our images',
})

export const whyTill17 = create(WhyResponseSchema, {
  hostName: 'till-17',
  fleet: 'edge',
  phase: 'RolledBack',
  reason: 'RolledBack',
  message: 'health check unit:sshd.service failed twice; it runs 42.0.9 again',
  sinceMs: BigInt(nowMs - 360_000),
  next: 'nothing by itself; `bootfleet retry host/till-17` tries again',
  failedDigest: wanted,
})
