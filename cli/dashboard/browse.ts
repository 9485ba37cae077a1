import { cleanText } from '../../proto/picture/clean-text.ts'
import { staleSince } from '../../proto/picture/picture.ts'
import type { Key } from './keys.ts'
import { withoutLast } from './line.ts'
import { changePage, fleetNamed, openPage, pageOf } from './model.ts'
import type { Mode, Model, Order, Stepped } from './model.ts'
import { scrollMax } from './view.ts'
import { keyOf, placeOf, rowsOf, selectedIndex } from './rows.ts'

/** What the controller takes of a reason. */
const REASON_MAX = 500
const FILTER_MAX = 100
const PAGE_ROWS = 10

/** Keys while no reason is asked for. */
export function useKey(model: Model, key: Key): Stepped {
  if (key.kind === 'interrupt') return { model, effects: [{ kind: 'quit' }] }
  if (key.kind === 'redraw') return { model, effects: [{ kind: 'redraw' }] }
  if (model.mode.kind === 'filter') return quietly(typeFilter(model, key))
  if (model.mode.kind === 'help') return quietly(readHelp(model, key))
  switch (key.kind) {
    case 'up':
      return quietly(moved(model, -1))
    case 'down':
      return quietly(moved(model, 1))
    case 'pageUp':
      return quietly(moved(model, -PAGE_ROWS))
    case 'pageDown':
      return quietly(moved(model, PAGE_ROWS))
    case 'home':
      return quietly(moved(model, Number.NEGATIVE_INFINITY))
    case 'end':
      return quietly(moved(model, Number.POSITIVE_INFINITY))
    case 'enter':
      return quietly(opened(model))
    case 'escape':
    case 'backspace':
      return quietly(wentBack(model))
    case 'eraseAll':
      return quietly(changePage(model, { filter: '' }))
    case 'text':
      return useLetter(model, key.text)
    case 'pasted':
      return quietly(model)
  }
}

function useLetter(model: Model, letter: string): Stepped {
  switch (letter) {
    case 'q':
      return { model, effects: [{ kind: 'quit' }] }
    case 'k':
      return quietly(moved(model, -1))
    case 'j':
      return quietly(moved(model, 1))
    case '/':
      return quietly({ ...model, mode: { kind: 'filter' } })
    case '?':
      return quietly({ ...model, mode: { kind: 'help', scroll: 0 } })
    case 'p':
      return quietly(askReason(model, 'pause'))
    case 'a':
      return quietly(askReason(model, 'approve'))
    default:
      return quietly(model)
  }
}

const MOVES: Readonly<Record<string, number>> = {
  up: -1,
  k: -1,
  down: 1,
  j: 1,
  pageUp: -PAGE_ROWS,
  pageDown: PAGE_ROWS,
  home: Number.NEGATIVE_INFINITY,
  end: Number.POSITIVE_INFINITY,
}

/** Moving is for reading on; any other key leads back. */
function readHelp(model: Model, key: Key): Model {
  const by = MOVES[key.kind === 'text' ? key.text : key.kind]
  return by === undefined ? { ...model, mode: { kind: 'browse' } } : moved(model, by)
}

function scrolledTo(model: Model, scroll: number): Model {
  return model.mode.kind === 'help'
    ? { ...model, mode: { kind: 'help', scroll } }
    : changePage(model, { scroll })
}

function moved(model: Model, by: number): Model {
  const most = scrollMax(model)
  if (most !== null) {
    const from = model.mode.kind === 'help' ? model.mode.scroll : openPage(model).scroll
    return scrolledTo(model, Math.max(0, Math.min(most, Math.min(most, from) + by)))
  }
  const rows = rowsOf(model)
  const to = Math.max(0, Math.min(rows.length - 1, selectedIndex(openPage(model), rows) + by))
  const row = rows[to]
  return row === undefined ? model : changePage(model, { selected: keyOf(row) })
}

function opened(model: Model): Model {
  const page = openPage(model)
  const rows = rowsOf(model)
  const row = rows[selectedIndex(page, rows)]
  if (row === undefined) return model
  const marked = changePage(model, { selected: keyOf(row) })
  return { ...marked, pages: [...marked.pages, pageOf(placeOf(row, page.place))] }
}

/** A filter is taken back before the page is left. */
function wentBack(model: Model): Model {
  if (openPage(model).filter !== '') return changePage(model, { filter: '' })
  return model.pages.length > 1 ? { ...model, pages: model.pages.slice(0, -1) } : model
}

function typeFilter(model: Model, key: Key): Model {
  const browsing: Model = { ...model, mode: { kind: 'browse' } }
  if (key.kind === 'enter') return browsing
  if (key.kind === 'escape') return changePage(browsing, { filter: '' })
  if (key.kind === 'up' || key.kind === 'down') return moved(browsing, key.kind === 'up' ? -1 : 1)
  return changePage(model, { filter: typed(openPage(model).filter, key, FILTER_MAX) })
}

/** Keys while a reason is asked for. */
export function typeReason(model: Model, mode: Extract<Mode, { kind: 'reason' }>, key: Key): Stepped {
  const cancelled: Model = { ...model, mode: { kind: 'browse' }, notice: null }
  if (key.kind === 'escape' || key.kind === 'interrupt') return quietly(cancelled)
  if (key.kind === 'redraw') return { model, effects: [{ kind: 'redraw' }] }
  if (key.kind !== 'enter') {
    return quietly({ ...model, notice: null, mode: { ...mode, text: typed(mode.text, key, REASON_MAX) } })
  }
  const reason = mode.text.trim()
  if (reason === '') return quietly(refused(model, 'a reason must be given, for the record'))
  if (staleSince(model) !== null) return quietly(refused(model, 'not sent: there is no connection now'))
  return {
    model: { ...model, notice: null, mode: { kind: 'browse' }, sending: mode.order },
    effects: [{ kind: 'order', order: mode.order, reason }],
  }
}

function typed(text: string, key: Key, lengthMax: number): string {
  if (key.kind === 'text' || key.kind === 'pasted') return cleanText(text + key.text).slice(0, lengthMax)
  if (key.kind === 'backspace') return withoutLast(text)
  return key.kind === 'eraseAll' ? '' : text
}

function askReason(model: Model, verb: Order['verb']): Model {
  if (model.sending !== null)
    return refused(model, `${model.sending.verb} ${model.sending.fleet} is still on its way`)
  const name = fleetInHand(model)
  const fleet = name === null ? null : fleetNamed(model, name)
  if (fleet === null) return refused(model, `there is no fleet here to ${verb}`)
  if (staleSince(model) !== null)
    return refused(model, `no connection: ${verb} ${fleet.name} once it is back`)
  const { rollout } = fleet
  if (rollout === undefined) return refused(model, `${fleet.name} has no rollout to ${verb}`)
  const waiting = rollout.waves.find(({ state }) => state === 'AwaitingApproval')
  if (verb === 'approve' && waiting === undefined)
    return refused(model, `no wave of ${fleet.name} waits for an approval`)
  const wave = verb === 'approve' ? (waiting?.name ?? '') : ''
  const order = { verb, fleet: fleet.name, rollout: rollout.id, wave }
  return { ...model, mode: { kind: 'reason', order, text: '' } }
}

/** The fleet whose page is open, or that is marked. */
function fleetInHand(model: Model): string | null {
  const page = openPage(model)
  if (page.place.kind !== 'fleets') return page.place.fleet
  const rows = rowsOf(model)
  const row = rows[selectedIndex(page, rows)]
  return row?.kind === 'fleet' ? row.fleet.name : null
}

function refused(model: Model, text: string): Model {
  return { ...model, notice: { tone: 'bad', text } }
}

function quietly(model: Model): Stepped {
  return { model, effects: [] }
}
