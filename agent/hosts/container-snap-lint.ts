import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { Image } from '../update/types.ts'
import type { Call } from './container-snap-program.ts'
import { referenceOf } from './container-snap-pull.ts'
import { parseJson } from './container-snap-status.ts'

const Report = z.object({
  findings: z.array(
    z.object({ rule: z.string(), severity: z.enum(['error', 'warning']), message: z.string() }),
  ),
})
type Findings = z.infer<typeof Report>['findings']

/** A large image on a slow disk has minutes of it. */
const LINT_TIMEOUT_MS = 15 * 60_000
const FINDINGS_MAX = 64
const FINDING_MAX_LENGTH = 256

/** Only errors: what the program calls a warning costs neither a boot nor an update. */
export async function lintImage(call: Call, image: Image, signal: AbortSignal): Promise<readonly string[]> {
  const attempt = `checking ${image.digest}`
  const seen: Findings[] = []
  const onLine = (text: string): void => {
    const report = Report.safeParse(parseJson(text))
    if (report.success) seen.push(report.data.findings)
  }
  const options = { code: 'StageFailed', attempt, signal, timeoutMs: LINT_TIMEOUT_MS, onLine } as const
  try {
    await call(['lint', '--json', referenceOf(image)], options)
  } catch (error) {
    // Its exit status says that there are errors; which ones stands in what it printed before.
    const isAnswer = error instanceof AgentError && error.code === 'ImageRefused' && seen.length > 0
    if (!isAnswer) throw error
  }
  const [findings] = seen
  if (findings === undefined)
    throw new AgentError('StageFailed', `${attempt}: the program did not say what it found`)
  return findings
    .filter(({ severity }) => severity === 'error')
    .slice(0, FINDINGS_MAX)
    .map(({ rule, message }) => `${rule}: ${message}`.replaceAll(/\s+/g, ' ').slice(0, FINDING_MAX_LENGTH))
}
