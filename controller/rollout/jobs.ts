import type { Changes } from './changes.ts'

/** More than so many hosts are worked through over several calls; until then the fleets that it concerns wait. */
export const hostsAtOnce = 500

/** What one call works through of them: in a large heap each may take 0.1 ms, and other events wait meanwhile. */
const hostsPerCall = 100

export type Concerned =
  { readonly kind: 'every' | 'none' } | { readonly kind: 'fleet'; readonly name: string }

export type Job = {
  /** Whose counters are incomplete meanwhile. */
  readonly concerns: Concerned
  /** Does a part; true while something is left. */
  readonly step: (changes: Changes) => boolean
}

type Jobs = { readonly jobs: Job[] }

export function isBusy({ jobs }: Jobs, fleet: string): boolean {
  return jobs.some(
    ({ concerns }) => concerns.kind === 'every' || (concerns.kind === 'fleet' && concerns.name === fleet),
  )
}

/** One part of the first job. */
export function workOn({ jobs }: Jobs, changes: Changes): void {
  const [job] = jobs
  if (job !== undefined && !job.step(changes)) jobs.splice(jobs.indexOf(job), 1)
}

/** Visits every host: at once when they are few, otherwise as a job. */
export function eachHost<Host>(
  { hosts, jobs }: Jobs & { readonly hosts: ReadonlyMap<string, Host> },
  of: {
    readonly concerns: Concerned
    readonly visit: (host: Host, changes: Changes) => void
    readonly after?: (changes: Changes) => void
  },
  changes: Changes,
): void {
  const rest = hosts.values()
  const isFew = hosts.size < hostsAtOnce
  const most = isFew ? hostsAtOnce : hostsPerCall
  const step = (current: Changes): boolean => {
    for (let count = 0; count < most; count += 1) {
      const next = rest.next()
      if (next.done === true) {
        of.after?.(current)
        return false
      }
      of.visit(next.value, current)
    }
    return true
  }
  if (isFew) step(changes)
  else {
    jobs.push({ concerns: of.concerns, step })
    changes.again = true
  }
}
