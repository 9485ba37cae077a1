import type { Logger } from 'pino'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { State } from '../update/types.ts'
import { toReport } from './report.ts'
import type { HostDescription, RefusedPlan, TakenEtc } from './report.ts'

export type TellingOptions = {
  readonly report: (report: Report) => void
  /** When the newest plan was signed, where that is too long ago; null: it is not. */
  readonly staleSinceMs: (state: State) => number | null
  /** Between two looks at that; the first comes so much after the start, for a host that was off first gets its plan. */
  readonly judgeEveryMs: number
  readonly log: Logger
  readonly signal: AbortSignal
}

/** What a boot of the host tells. */
export type Telling = {
  readonly onState: (state: State) => void
  /** A plan that is refused although a director signed it for this host; null: there is none any more. */
  readonly onRefused: (refused: RefusedPlan | null) => void
  /** What was found of /etc: of this boot alone, for another one may run another image. */
  readonly onEtc: (etc: TakenEtc) => void
}

/** Reports anew when the state changes, and when what is refused or withheld does, which outlives a boot. */
export function openTelling(options: TellingOptions): (host: HostDescription) => Telling {
  const { report, staleSinceMs, judgeEveryMs, log, signal } = options
  let refused: RefusedPlan | null = null
  let plansStaleSinceMs: number | null = null
  let tellAgain = (): void => undefined

  const judge = (state: State): void => {
    const found = staleSinceMs(state)
    if (found === plansStaleSinceMs) return
    plansStaleSinceMs = found
    if (found === null) log.info('a newly signed plan has come')
    else log.warn({ signedAt: new Date(found) }, STALE)
  }
  const judging = setInterval(() => tellAgain(), judgeEveryMs)
  signal.addEventListener('abort', () => clearInterval(judging), { once: true })

  return (host) => {
    let last: State | null = null
    let etc: TakenEtc | null = null
    const tell = (): void => {
      if (last !== null) report(toReport(last, { ...host, etc }, { refused, plansStaleSinceMs }))
    }
    tellAgain = () => {
      if (last !== null) judge(last)
      tell()
    }
    return {
      onState: (state) => {
        last = state
        if (plansStaleSinceMs !== null) judge(state)
        tell()
      },
      onRefused: (plan) => {
        refused = plan
        tell()
      },
      onEtc: (taken) => {
        etc = taken
        tell()
      },
    }
  }
}

const STALE =
  'PlansStale: no newly signed plan has come for too long; the controller may be away, or somebody withholds its plans'
