import { setTimeout as delay } from 'node:timers/promises'
import type { SystemObserver } from './hosts/report-only.ts'
import { toSystemReport } from './report/system-report.ts'
import { openReporting } from './reporting.ts'
import type { ReportingOptions } from './reporting.ts'

export type ObservingOptions = Omit<ReportingOptions, 'onAnswer' | 'onTrusted'> & {
  readonly observe: SystemObserver
  /** Between two looks. */
  readonly lookEveryMs: number
}

/**
 * The whole life of a host that only reports: look, say what changed, look again. It follows no plans, so that there
 * is nothing that a plan could do here. Resolves when `signal` has fired and all is closed.
 */
export async function observeUntilStopped(options: ObservingOptions, signal: AbortSignal): Promise<void> {
  const { config, lookEveryMs, observe, sealing } = options
  const { closed, reporter } = openReporting(
    { ...options, onAnswer: () => undefined, onTrusted: () => undefined },
    signal,
  )
  while (!signal.aborted) {
    const system = await observe(signal)
    // A program that was stopped half-way said nothing, which is no news.
    if (!signal.aborted) reporter.report(toSystemReport(config.name, system, sealing.kept()))
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined)
  }
  await closed
}
