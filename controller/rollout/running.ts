import type { HostReport } from './report.ts'

/** What a host told this controller about when it came to run what it runs. */
export type Running = {
  /** When that was first heard; it may have begun earlier. */
  readonly sinceMs: number
  /** The digest it ran before, which it may still have and go back to; null: nobody heard of one. */
  readonly before: string | null
}

/** What of a host's record tells it. */
type Heard = {
  readonly report: HostReport
  readonly receivedAtMs: number
  readonly running?: Running | undefined
}

export function runningOf({ receivedAtMs, running }: Omit<Heard, 'report'>): Running {
  return running ?? { sinceMs: receivedAtMs, before: null }
}

/** A reboot into the same image changes nothing; a fallback begins anew. */
export function runningAfter(last: Heard | null, report: HostReport, nowMs: number): Running {
  if (last === null) return { sinceMs: nowMs, before: null }
  const { bootedDigest, bootedManifestDigest } = last.report
  const isSame = bootedDigest === report.bootedDigest && bootedManifestDigest === report.bootedManifestDigest
  return isSame ? runningOf(last) : { sinceMs: nowMs, before: bootedDigest }
}
