import type { Flaw, YamlFile } from './document.ts'
import { quote } from './issue.ts'
import { nameSchema } from './scalar-schema.ts'

/** Of one source; sources that are read together have a folder each. */
export function isAllowRemoval(path: string): boolean {
  return /(?:^|\/)\.bootfleet\/allow-removal$/.test(path)
}

/** One name of a fleet per line; `#` begins a comment. */
export function readAllowRemoval(text: string): {
  readonly names: readonly string[]
  readonly flaws: readonly Flaw[]
  readonly positionOf: YamlFile['positionOf']
} {
  const names: string[] = []
  const flaws: Flaw[] = []
  const lineStarts: number[] = []
  let offset = 0
  for (const line of text.split('\n')) {
    lineStarts.push(offset)
    const written = line.replace(/#.*$/s, '')
    const name = written.trim()
    const judged = nameSchema.safeParse(name)
    if (judged.success) names.push(name)
    else if (name !== '') {
      const message = `${quote(name)} is not the name of a fleet: one a line, "#" begins a comment`
      flaws.push({ offset: offset + written.length - written.trimStart().length, message, suggestion: null })
    }
    offset += line.length + 1
  }
  const positionOf = (at: number) => {
    const line = lineStarts.findLastIndex((start) => start <= at)
    return { line: line + 1, column: at - Number(lineStarts[line]) + 1 }
  }
  return { names, flaws, positionOf }
}
