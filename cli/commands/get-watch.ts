import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { watchStatus } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { renderYaml } from '../render/structured.ts'
import { widthOf } from '../render/table.ts'
import type { Terminal } from '../terminal.ts'
import { isTable, linesOf, noteEmpty } from './get-output.ts'
import type { ListFormat, Listed } from './get-output.ts'

/** A list that takes long to make is made for a tenth of the time: ten thousand hosts change all the while. */
const PAUSE_SHARE = 9
/** Nobody waits longer than that for a change. */
const PAUSE_MAX_MS = 15_000

/**
 * The list, and then the line of each object that changed, until interrupted. Times that only pass are no change, and
 * of several changes of one object between two looks the last one is told. A controller that is away is said at once
 * and waited for.
 */
export async function watchListed(
  terminal: Terminal,
  client: OperatorClient,
  { format, look }: { readonly format: ListFormat; readonly look: (status: Status) => Promise<Listed> },
): Promise<void> {
  const stop = new AbortController()
  const signal = AbortSignal.any([terminal.signal, stop.signal])
  let before: Shown | null = null
  try {
    for await (const status of newestOf(statuses(terminal, client, signal))) {
      const beganMs = performance.now()
      const listed = await lookOrSay(terminal, () => look(status))
      if (listed === null) continue
      before = printChanged(terminal, listed, { format, before })
      const tookMs = performance.now() - beganMs
      await sleep(Math.min(PAUSE_MAX_MS, tookMs * PAUSE_SHARE), undefined, { signal }).catch(() => undefined)
    }
  } finally {
    stop.abort()
  }
}

async function* statuses(
  terminal: Terminal,
  client: OperatorClient,
  signal: AbortSignal,
): AsyncGenerator<Status> {
  for await (const seen of watchStatus(client, signal)) {
    if (seen.kind === 'status') yield seen.status
    else if (!signal.aborted) terminal.note(`${seen.why}; trying again\n`)
  }
}

async function lookOrSay(terminal: Terminal, look: () => Promise<Listed>): Promise<Listed | null> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'ControllerUnreachable') throw error
    terminal.note(`${error.message}; trying again\n`)
    return null
  }
}

/** Takes all that comes as it comes, and gives only the newest to whoever is not done with the one before. */
export async function* newestOf<Value>(source: AsyncIterable<Value>): AsyncGenerator<Value> {
  let waiting: readonly [Value] | null = null
  let isOver = false
  let wake = (): void => undefined
  const taking = (async () => {
    try {
      for await (const value of source) {
        waiting = [value]
        wake()
      }
    } finally {
      isOver = true
      wake()
    }
  })()
  // Told to whoever asks for the next one, and until then to nobody.
  taking.catch(() => undefined)
  const take = (): readonly [Value] | null => {
    const taken = waiting
    waiting = null
    return taken
  }
  for (;;) {
    const taken = take()
    if (taken !== null) yield taken[0]
    else if (isOver) return await taking
    else await new Promise<void>((resolve) => (wake = resolve))
  }
}

type Shown = {
  /** What the line of each name said, without times that only pass. */
  readonly words: ReadonlyMap<string, string>
  /** By column, so that a line stands below those before it. */
  readonly widest: readonly string[]
  /** Nothing was to be shown yet, and so no header. */
  readonly isEmpty: boolean
}

function printChanged(
  terminal: Terminal,
  listed: Listed,
  { before, format }: { readonly before: Shown | null; readonly format: ListFormat },
): Shown {
  const words = wordsOf(listed)
  const changed = listed.names.flatMap((name, index) =>
    before !== null && before.words.get(name) === words.get(name) ? [] : [index],
  )
  const [header = [], ...rows] = listed.rows
  const chosen = changed.map((index) => rows[index] ?? [])
  const widest = widestOf([...(before === null ? [] : [before.widest]), header, ...chosen])
  const wasEmpty = before === null || before.isEmpty
  if (!isTable(format)) for (const index of changed) terminal.out(objectOf(listed, index, format))
  else if (chosen.length > 0) {
    const [head = '', , ...lines] = linesOf(terminal, { rows: [header, widest, ...chosen] })
    terminal.out([...(wasEmpty && format.headers ? [head] : []), ...lines].join(''))
  }
  if (before === null) noteEmpty(terminal, listed, format)
  else noteGone(terminal, format, { before, words })
  return { words, widest, isEmpty: wasEmpty && chosen.length === 0 }
}

function noteGone(
  terminal: Terminal,
  { kind }: ListFormat,
  { before, words }: { readonly before: Shown; readonly words: Shown['words'] },
): void {
  for (const name of before.words.keys()) {
    if (!words.has(name)) terminal.note(`${kind}/${name} is gone\n`)
  }
}

function objectOf(listed: Listed, index: number, { kind, output }: ListFormat): string {
  if (output === 'name') return `${kind}/${listed.names[index] ?? ''}\n`
  const data = listed.dataOf(index)
  return output === 'yaml' ? `---\n${renderYaml(data)}` : `${JSON.stringify(data)}\n`
}

function widestOf(rows: readonly (readonly string[])[]): readonly string[] {
  const widest: string[] = []
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      const width = widthOf(cell)
      if (width < (widths[column] ?? 0)) return
      widest[column] = cell
      widths[column] = width
    })
  }
  return widest
}

/** What a line says, without how long ago or how much longer. */
function wordsOf({ names, rows }: Listed): ReadonlyMap<string, string> {
  return new Map(
    names.map((name, index) => {
      const row = rows[index + 1] ?? []
      return [name, row.join('\t').replaceAll(/\b(?:\d+[smhd])+\b/g, '')]
    }),
  )
}
