import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  parseAllDocuments,
  Parser,
  visit,
} from 'yaml'
import type { Document, ParsedNode, Scalar } from 'yaml'
import { quote } from './issue.ts'

/** A problem at an offset of the file's text. */
export type Flaw = { readonly offset: number; readonly message: string; readonly suggestion: string | null }

export type YamlDocument =
  | {
      readonly ok: true
      readonly value: unknown
      readonly startOffset: number
      /** Where the value at a path stands, or its key; the nearest enclosing one when there is none. */
      readonly offsetOf: (path: readonly PropertyKey[], part: 'key' | 'value') => number
    }
  | { readonly ok: false; readonly flaws: readonly Flaw[] }

export type YamlFile = {
  readonly documents: readonly YamlDocument[]
  readonly positionOf: (offset: number) => { readonly line: number; readonly column: number }
}

const maxAliasCount = 100
const maxDepth = 100

export function readYaml(text: string): YamlFile {
  const lineCounter = new LineCounter()
  const positionOf = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const tooDeep = offsetBeyondDepth(text)
  if (tooDeep !== null) {
    for (const { index } of text.matchAll(/\n/g)) lineCounter.addNewLine(index + 1)
    return {
      documents: [failure(tooDeep, `not valid YAML: nested deeper than ${maxDepth} levels`)],
      positionOf,
    }
  }
  // Duplicate keys are found below, in linear time: the parser's own search is quadratic.
  const options = { version: '1.2', prettyErrors: false, stringKeys: true, uniqueKeys: false } as const
  const parsed = parseAllDocuments(text, { lineCounter, ...options })
  const documents = [...parsed].filter((document) => document.errors.length > 0 || !isEmpty(document))
  return { documents: documents.map(readDocument), positionOf }
}

/**
 * Composing recurses, and running out of stack inside a regular expression ends the whole process, which no
 * catch can prevent; so depth is measured first, by the parser's stage that keeps a stack of its own.
 */
function offsetBeyondDepth(text: string): number | null {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    const offset = parser.offset
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > maxDepth) return offset
  }
  return null
}

/** Between two `---`, or after the last: generators leave such documents behind. */
function isEmpty({ contents }: Document): boolean {
  return isScalar(contents) && contents.value === null
}

function readDocument(document: Document.Parsed): YamlDocument {
  const broken = [...document.errors, ...document.warnings][0]
  if (broken !== undefined) return failure(broken.pos[0], `not valid YAML: ${broken.message}`)
  const flaws = keyFlaws(document)
  if (flaws.length > 0) return { ok: false, flaws }
  const start = startOf(document.contents)
  try {
    const value: unknown = document.toJS({ maxAliasCount })
    return { ok: true, value, startOffset: start, offsetOf: (path, part) => offsetIn(document, path, part) }
  } catch (error) {
    return failure(start, `not valid YAML: ${reasonOf(error)}`)
  }
}

function failure(offset: number, message: string): YamlDocument {
  return { ok: false, flaws: [{ offset, message, suggestion: null }] }
}

function reasonOf(error: unknown): string {
  return String(error).replace(/^\w+: /, '')
}

/** A key written twice would hide one of its values; `__proto__` is dropped on the way to a JavaScript object. */
function keyFlaws(document: Document.Parsed): readonly Flaw[] {
  const flaws: Flaw[] = []
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        const name = (key as Scalar).value
        const offset = startOf(key)
        if (seen.has(name))
          flaws.push({ offset, message: `${quote(name)} is written twice`, suggestion: null })
        if (name === '__proto__')
          flaws.push({ offset, message: `${quote(name)} cannot be a key`, suggestion: null })
        seen.add(name)
      }
    },
  })
  return flaws
}

function offsetIn(document: Document, path: readonly PropertyKey[], part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let key: unknown = node
  for (const step of path) {
    const parent = isAlias(node) ? node.resolve(document) : node
    if (!isCollection(parent)) return startOf(key)
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === String(step))
      : undefined
    const child = isPair(pair) ? (pair.value ?? pair.key) : parent.get(step, true)
    if (child === undefined) return startOf(key)
    node = child
    key = isPair(pair) ? pair.key : child
  }
  return startOf(part === 'key' ? key : node)
}

function startOf(node: unknown): number {
  return (node as ParsedNode).range[0]
}
