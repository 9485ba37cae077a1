import type { ReportedSystem } from '../gen/bootfleet/v1/images_pb.ts'
import type { HostStatus } from '../gen/bootfleet/v1/operator_pb.ts'
import { imageWord } from './words.ts'

type Named = Pick<ReportedSystem, 'imageReference' | 'osId' | 'osName' | 'osVersion'>
type Running = Pick<HostStatus, 'bootedDigest' | 'bootedVersion' | 'reportOnly'>

/** What a host runs: its image, or where it only reports and has none that is known, what it says instead. */
export function runningWord({ bootedDigest, bootedVersion, reportOnly }: Running): string {
  const image = imageWord(bootedVersion, bootedDigest)
  if (bootedDigest !== '' || reportOnly === undefined) return image
  return reportOnly.imageReference || (image === '-' ? systemWord(reportOnly) || '-' : image)
}

/** The reference of its image, else what os-release(5) calls it; empty: it knows neither. */
export function systemWord(system: Named): string {
  return system.imageReference || osWord(system)
}

/** What a host says that only reports, name and value, without what is empty. */
export function systemFacts({
  reportOnly,
}: Pick<HostStatus, 'reportOnly'>): readonly (readonly [string, string])[] {
  if (reportOnly === undefined) return []
  const labels = Object.entries(reportOnly.imageLabels)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
  const facts: readonly (readonly [string, string])[] = [
    ['system', osWord(reportOnly)],
    ['image', reportOnly.imageReference],
    ['image labels', labels.join(', ')],
  ]
  return facts.filter(([, value]) => value !== '')
}

function osWord({ osId, osName, osVersion }: Omit<Named, 'imageReference'>): string {
  return osName || `${osId} ${osVersion}`.trim()
}
