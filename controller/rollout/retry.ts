import type { Retry } from '../desired-state/types.ts'
import type { HostReport } from './report.ts'
import type { GrantRecord } from './records.ts'

/** Nothing was tried again yet. */
export const noRetries: GrantRecord['retries'] = { download: 0, stage: 0 }

/** The agent's codes for steps that disturbed nothing; what it calls refused, denied or too large stays so. */
const stepOfCode: Readonly<Record<string, Retry['on'][number]>> = {
  DownloadFailed: 'Download',
  StageFailed: 'Stage',
}

/**
 * What becomes of an attempt that failed before anything was activated: it waits, without a lease, to be tried
 * again. Null when the step is not one of those, or was tried often enough; then it is a failure.
 */
export function retryOf(
  grant: GrantRecord,
  { failure }: HostReport,
  of: { readonly retry: Retry; readonly wallMs: number },
): Pick<GrantRecord, 'notBeforeMs' | 'retries'> | null {
  const step = stepOfCode[failure?.code ?? '']
  if (step === undefined || grant.bootIdBefore !== null || !of.retry.on.includes(step)) return null
  const used = usedOf(grant.retries, step)
  if (used >= of.retry.limit) return null
  const retries =
    step === 'Download' ? { ...grant.retries, download: used + 1 } : { ...grant.retries, stage: used + 1 }
  return { retries, notBeforeMs: of.wallMs + backoffMs(of.retry, used) }
}

function usedOf(retries: GrantRecord['retries'], step: Retry['on'][number]): number {
  return step === 'Download' ? retries.download : retries.stage
}

function backoffMs({ backoff }: Retry, used: number): number {
  return Math.min(backoff.maxMs, Math.round(backoff.baseMs * backoff.factor ** used))
}

/** Waits until its next attempt may begin; after that it is queued like any other host. */
export function isBackingOff(grant: GrantRecord): boolean {
  return grant.phase === 'Pending' && grant.notBeforeMs !== null
}
