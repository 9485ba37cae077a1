import * as z from 'zod'
import type { ReportedEtc } from '../rollout/report.ts'
import { COUNT_MAX, withinBytes } from './report-size.ts'
import { Instant, shown } from './wire-parts.ts'

const CHANGES_MAX = 128
/** As agents bound it, and some more: a name that is cleaned may get longer in JSON. */
const CHANGES_SIZE_MAX_BYTES = 10 * 1024
const PATH_MAX_LENGTH = 1024

/** What does not fit is counted. */
export const EtcFromWire = z
  .object({
    changes: z.array(z.object({ path: shown(PATH_MAX_LENGTH), kind: shown(16) })),
    more: z.int().nonnegative().max(COUNT_MAX),
    takenAtMs: Instant,
    problem: shown(512),
  })
  .transform(({ changes, more, ...rest }): ReportedEtc => {
    const kept = withinBytes(changes.slice(0, CHANGES_MAX), CHANGES_SIZE_MAX_BYTES)
    return { ...rest, changes: kept, more: Math.min(COUNT_MAX, more + changes.length - kept.length) }
  })
