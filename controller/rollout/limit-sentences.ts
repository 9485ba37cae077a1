import { duration } from './spoken-time.ts'
import type { BlockingReason, LimitReason } from './states.ts'

type Of<Kind extends LimitReason['kind']> = Extract<LimitReason, { readonly kind: Kind }>

const sentences: { readonly [Kind in LimitReason['kind']]: (reason: Of<Kind>) => string } = {
  DownloadSlots: ({ allowed, downloading }) =>
    `waits for its download: ${downloading} of at most ${allowed} hosts are downloading`,
  MaxUnavailable: ({ allowed, unavailable }) =>
    allowed === 0
      ? 'staged; maxUnavailable is 0, so no host may restart; raise it'
      : `staged; waits for a slot: ${unavailable} of at most ${allowed} hosts are restarting`,
  TopologyBudget: ({ allowed, topologyKey, unavailable, value }) =>
    `staged; waits for ${topologyKey} "${value}": ${unavailable} of at most ${allowed} of its hosts are restarting or not connected`,
  Freeze: ({ inMs, name }) => `staged; freeze "${name}" holds it for another ${duration(inMs)}`,
  Window: windowSentence,
  Prefetched: ({ wave }) => `staged ahead; waits for wave "${wave}"`,
  Rate: ({ inMs, perMinute }) =>
    `staged; waits for the rate: ${perMinute} hosts a minute now, the next in ${duration(inMs)}`,
  Backoff: ({ inMs, limit, message, retry }) =>
    `${message}; tried again in ${duration(inMs)} (${retry} of ${limit})`,
}

/** A reason that only limits give: they pass by themselves, or git sets others. */
export function isLimit(reason: BlockingReason): reason is LimitReason {
  return Object.hasOwn(sentences, reason.kind)
}

export function renderLimit<Kind extends LimitReason['kind']>(reason: Of<Kind>): string {
  const render = sentences[reason.kind as Kind] as (reason: Of<Kind>) => string
  return render(reason)
}

function windowSentence({ action, inMs, longestMs, needMs, opens }: Of<'Window'>): string {
  const what = action === 'Download' ? 'waits to download' : 'staged; waits to activate'
  if (inMs !== null) return `${what}: a window opens ${opens}, in ${duration(inMs)}`
  if (longestMs === 0) return `${what}: no window ever opens; add an Allow window, or shorten a Deny`
  return `${what}: no window is long enough, it needs ${duration(needMs)} and the longest is ${duration(longestMs)}; lengthen one, or shorten deadlines.activate or deadlines.health`
}
