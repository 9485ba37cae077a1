import type { Analysis } from '../desired-state/types.ts'
import type { AnalysisConfig } from './analysis-config.ts'
import { runCheck } from './check-process.ts'
import { createAnalysisHttp } from './http.ts'
import { measureHttp } from './http-probe.ts'
import { inconclusive } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { measurePrometheus } from './prometheus.ts'

/** Never rejects for what was found or not found; only an abort of the signal rejects. */
export type Measurer = {
  readonly measure: (analysis: Analysis, signal: AbortSignal) => Promise<Outcome>
  close(): Promise<void>
}

export function createMeasurer(config: AnalysisConfig): Measurer {
  const http = createAnalysisHttp()
  return {
    async measure({ provider }, signal) {
      switch (provider.kind) {
        case 'prometheus':
          return measurePrometheus(provider, config.prometheus, { http, signal })
        case 'http':
          return measureHttp(provider, config.http, { http, signal })
        case 'named':
          return measureNamed(provider.check, config, signal)
      }
    },
    close: () => http.close(),
  }
}

async function measureNamed(name: string, { checks }: AnalysisConfig, signal: AbortSignal): Promise<Outcome> {
  const check = Object.hasOwn(checks, name) ? checks[name] : undefined
  if (check === undefined) {
    return inconclusive(
      `there is no check ${name}; declare it under analysis.checks in the controller’s configuration`,
    )
  }
  return runCheck({ name, command: check.command, timeoutMs: check.timeout, signal })
}
