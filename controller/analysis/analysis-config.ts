import { resolve } from 'node:path'
import * as z from 'zod'
import { parseDuration } from '../desired-state/duration.ts'

const Timeout = z
  .string()
  .transform((text, context) => {
    const valueMs = parseDuration(text)
    if (valueMs !== null && valueMs > 0) return valueMs
    context.addIssue('it is no duration (for example "10s")')
    return z.NEVER
  })
  .default(10_000)

/**
 * What analyses may ask: git names a query, a URL or a check; where Prometheus is, which hosts are asked and which
 * programs run is decided here, on the controller's own machine. Nothing is allowed unless it is written down.
 */
export const AnalysisConfig = z.strictObject({
  prometheus: z
    .strictObject({
      address: z.url({ protocol: /^https?$/ }),
      /** A bearer token, read anew for every query. */
      tokenFile: z.string().min(1).optional(),
      headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/, 'it is no header name'), z.string()).default({}),
      timeout: Timeout,
    })
    .optional(),
  http: z
    .strictObject({
      hosts: z
        .array(z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/@]+)(:\d{1,5})?$/, 'it is no HOST or HOST:PORT'))
        .default([]),
      timeout: Timeout,
    })
    .optional(),
  checks: z
    .record(
      z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'it is no name of a check'),
      z.strictObject({
        command: z
          .array(z.string())
          .min(1)
          .refine(
            ([program]) => program?.startsWith('/') === true,
            'it must begin with the full path of a program',
          ),
        timeout: Timeout,
      }),
    )
    .default({}),
})
export type AnalysisConfig = z.infer<typeof AnalysisConfig>

/** The token's file is relative to the configuration, as every file in it. */
export function analysisWithPaths(config: AnalysisConfig, base: string): AnalysisConfig {
  const { prometheus } = config
  if (prometheus?.tokenFile === undefined) return config
  return { ...config, prometheus: { ...prometheus, tokenFile: resolve(base, prometheus.tokenFile) } }
}
