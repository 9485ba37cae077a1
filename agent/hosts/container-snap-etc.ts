import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { Call } from './container-snap-program.ts'
import { parseJson } from './container-snap-status.ts'
import type { EtcChanges } from './host-driver.ts'

const Difference = z.object({ changes: z.array(z.object({ path: z.string(), kind: z.string() })) })

const CHANGES_MAX = 128
/** As JSON, in which it is stored with all else that the host reports. */
const CHANGES_SIZE_MAX_BYTES = 8 * 1024
/** Both trees are read whole, maybe from a slow card. */
const ETC_TIMEOUT_MS = 5 * 60_000

/** What `container-snap etc-diff` says. For people alone: that it cannot be read stops nothing. */
export async function readEtcChanges(call: Call, signal: AbortSignal): Promise<EtcChanges> {
  const attempt = 'comparing /etc with its image'
  try {
    const options = { code: 'InspectFailed', attempt, signal, timeoutMs: ETC_TIMEOUT_MS } as const
    const said = Difference.safeParse(parseJson(await call(['etc-diff', '--json'], options)))
    if (said.success) return bounded(said.data.changes)
    return { kind: 'unknown', problem: `${attempt}: the program did not say what differs` }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    return { kind: 'unknown', problem: error.message }
  }
}

/** The first that fit, whole: half a name is another file's. */
function bounded(all: z.infer<typeof Difference>['changes']): EtcChanges {
  let sizeBytes = 0
  const past = all.findIndex((change, index) => {
    sizeBytes += Buffer.byteLength(JSON.stringify(change)) + 1
    return index === CHANGES_MAX || sizeBytes > CHANGES_SIZE_MAX_BYTES
  })
  const changes = past === -1 ? all : all.slice(0, past)
  return { kind: 'known', changes, more: all.length - changes.length }
}
