import { renderRows } from '../render/fit.ts'
import { renderJson, renderYaml } from '../render/structured.ts'
import { columnsOf } from '../terminal.ts'
import type { Terminal } from '../terminal.ts'

export type Listed = {
  readonly names: readonly string[]
  /** The header first. */
  readonly rows: readonly (readonly string[])[]
  /** What JSON and YAML show of the one at this index. */
  readonly dataOf: (index: number) => unknown
}

export type ListFormat = {
  readonly kind: string
  readonly output: 'table' | 'wide' | 'json' | 'yaml' | 'name'
  readonly headers: boolean
  /** Only one was asked for. */
  readonly isOne: boolean
  /** Said when there is nothing to list. */
  readonly empty: string
}

/** What a narrow terminal shows last. */
const OPTIONAL = [
  'LABELS',
  'ID',
  'ARCH',
  'NEXT',
  'STABLE',
  'REVISION',
  'SEEN',
  'HEALTH',
  'AGE',
  'FROM',
  'COMMIT',
]

export function printListed(terminal: Terminal, listed: Listed, format: ListFormat): void {
  const data = (): unknown =>
    format.isOne ? listed.dataOf(0) : listed.names.map((_, index) => listed.dataOf(index))
  switch (format.output) {
    case 'json':
      terminal.out(renderJson(data()))
      return
    case 'yaml':
      terminal.out(renderYaml(data()))
      return
    case 'name':
      terminal.out(listed.names.map((name) => `${format.kind}/${name}\n`).join(''))
      noteEmpty(terminal, listed, format)
      return
    case 'table':
    case 'wide': {
      const lines = linesOf(terminal, listed)
      if (listed.names.length > 0) terminal.out((format.headers ? lines : lines.slice(1)).join(''))
      noteEmpty(terminal, listed, format)
      return
    }
  }
}

/** Nothing on stdout, where a header alone would be taken for a row. */
export function noteEmpty(
  terminal: Pick<Terminal, 'note'>,
  { names }: Pick<Listed, 'names'>,
  { empty }: ListFormat,
): void {
  if (names.length === 0) terminal.note(`${empty}\n`)
}

export function isTable({ output }: ListFormat): boolean {
  return output === 'table' || output === 'wide'
}

export function linesOf(terminal: Terminal, { rows }: Pick<Listed, 'rows'>): readonly string[] {
  const columns = columnsOf(terminal)
  return renderRows(rows, { columns, optional: OPTIONAL })
}
