import type { FleetLimits, FreezeTurn, LabelBudget, WindowTurn } from '../gen/bootfleet/v1/operator_pb.ts'
import { instantWord, spanWord, untilWord } from './words.ts'

/** One sentence each: how much of the limits is used, full budgets, windows, freezes. */
export function limitWords(limits: FleetLimits, nowMs: number): readonly string[] {
  const { budgets, downloading, downloadsMax, freezes, perMinute, unavailable, unavailableMax, windows } =
    limits
  const used = [
    `${unavailable} of at most ${unavailableMax} restarting`,
    `${downloading} of at most ${downloadsMax} downloading`,
    ...(perMinute === 0 ? [] : [`${perMinute} a minute now`]),
  ]
  return [
    used.join(' · '),
    ...budgets.map(budgetWords),
    ...windows.map((window) => windowWords(window, nowMs)),
    ...freezes.map((freeze) => freezeWords(freeze, nowMs)),
  ]
}

function budgetWords({ topologyKey, unavailable, unavailableMax, value }: LabelBudget): string {
  const isFull = unavailable >= unavailableMax ? ', full' : ''
  return `budget ${topologyKey} "${value}": ${unavailable} of at most ${unavailableMax} down${isFull}`
}

function windowWords({ action, open, opens, turnsAtMs }: WindowTurn, nowMs: number): string {
  const what = `window to ${action === 'Download' ? 'download' : 'activate'}`
  const atMs = Number(turnsAtMs)
  if (open) return atMs === 0 ? `${what}: open` : `${what}: open, closes ${untilWord(atMs, nowMs)}`
  if (atMs === 0) return `${what}: closed, and none is long enough`
  return `${what}: closed, opens ${opens}, in ${spanWord(atMs - nowMs)}`
}

function freezeWords({ fromMs, name, toMs }: FreezeTurn, nowMs: number): string {
  const [from, to] = [Number(fromMs), Number(toMs)]
  if (from <= nowMs) return `freeze "${name}": until ${untilWord(to, nowMs)}`
  return `freeze "${name}": from ${untilWord(from, nowMs)}, until ${instantWord(to)}`
}
