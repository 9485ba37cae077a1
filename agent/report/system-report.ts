import { create } from '@bufbuild/protobuf'
import { Phase, ReportSchema, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { VERSION } from '../../proto/version.ts'

/** What is seen of a machine that is not ours to update; what nobody can say is empty. */
export type SystemDescription = {
  readonly bootId: string
  readonly architecture: string
  readonly os: { readonly id: string; readonly version: string; readonly name: string }
  readonly image: {
    readonly reference: string
    readonly digest: string
    readonly version: string
    readonly labels: Readonly<Record<string, string>>
  }
}

/** What a host says that only reports: it has no plan, phase or health of its own. */
export function toSystemReport(
  hostName: string,
  { architecture, bootId, image, os }: SystemDescription,
  keysKept: 'sealed' | 'plain',
): Report {
  return create(ReportSchema, {
    hostName,
    phase: Phase.IDLE,
    // Only git names an image by its index; what was booted is the manifest.
    bootedManifestDigest: image.digest,
    bootedVersion: image.version,
    bootId,
    health: { verdict: Verdict.UNKNOWN, failedChecks: [] },
    facts: {
      architecture,
      osId: os.id,
      osVersion: os.version,
      osName: os.name,
      agentVersion: VERSION,
      driver: 'report-only',
      keysKept,
      imageReference: image.reference,
      imageLabels: { ...image.labels },
    },
  })
}
