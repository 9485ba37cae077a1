import type { MessageInitShape } from '@bufbuild/protobuf'
import type { SystemStatusSchema } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { systemWord } from '../../proto/picture/running.ts'
import type { EstateHost } from '../rollout/estate.ts'
import { splitTag } from './image-questions.ts'

/** It did not say what it runs: one that only reports says at least what its operating system is. */
export function isUnheard({ booted, reportOnly }: EstateHost): boolean {
  return booted === '' && (reportOnly === null || systemWord(reportOnly) === '')
}

/** What hosts that only report run where that is no image, or none whose digest they know; what most run first. */
export function systemsOf(hosts: readonly EstateHost[]): MessageInitShape<typeof SystemStatusSchema>[] {
  const systems = new Map<string, { hostsRunning: number; readonly fleets: Set<string> }>()
  for (const { booted, fleet, reportOnly } of hosts) {
    const name = reportOnly === null || booted !== '' ? '' : systemWord(reportOnly)
    if (name === '') continue
    const known = systems.get(name) ?? { hostsRunning: 0, fleets: new Set<string>() }
    known.hostsRunning += 1
    known.fleets.add(fleet)
    systems.set(name, known)
  }
  return [...systems]
    .toSorted(([a, x], [b, y]) => y.hostsRunning - x.hostsRunning || byText(a, b))
    .map(([name, { fleets, hostsRunning }]) => {
      return { name, hostsRunning, fleets: [...fleets].toSorted(byText) }
    })
}

/** Where hosts that only report have an image from that no fleet names; empty: none says. */
export function repositoryFrom(hosts: readonly EstateHost[]): string {
  const references = hosts.map(({ reportOnly }) => reportOnly?.imageReference ?? '')
  const [name = ''] = (references.find((reference) => reference !== '') ?? '').split('@')
  return splitTag(name).repository || name
}

function byText(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}
