import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import { resolveInside } from './inside-root.ts'

const folder = 'usr/lib/bootc/kargs.d'

/** As bootc's files spell them: Rust's names. */
const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

/** What the image wants on its kernel's line, in the order of its files' names. */
export async function imageKernelArguments(root: string): Promise<readonly string[]> {
  const at = await resolveInside(root, folder)
  if (at === null) return []
  const names = (await readdir(at)).filter((name) => name.endsWith('.toml')).toSorted()
  const lists = await Promise.all(
    names.map(async (name) => {
      const shown = `/${folder}/${name}`
      const file = await resolveInside(root, join(folder, name))
      const parsed = parseKernelArguments(file === null ? '' : await readFile(file, 'utf8'), shown)
      const mine = architectures[process.arch] ?? process.arch
      const { matchArchitectures } = parsed
      return matchArchitectures === null || matchArchitectures.includes(mine) ? parsed.kargs : []
    }),
  )
  return lists.flat()
}

export type KernelArgumentsFile = { kargs: readonly string[]; matchArchitectures: readonly string[] | null }

/** The two keys of bootc's files, as TOML; anything else is an error, for a setting nobody reads is a trap. */
export function parseKernelArguments(text: string, file: string): KernelArgumentsFile {
  const wrong = (found: string): SnapError =>
    new SnapError(
      'refused',
      `read ${file}: ${found}; it may hold kargs = ["…"] and match-architectures = ["…"]`,
    )
  const tokens = tokenize(text, wrong)
  const found = new Map<string, readonly string[]>()
  let at = 0
  while (at < tokens.length) {
    const key = tokens[at]?.text ?? ''
    if (key !== 'kargs' && key !== 'match-architectures') throw wrong(`unknown key ${key}`)
    if (found.has(key)) throw wrong(`${key} is there twice`)
    if (tokens[at + 1]?.text !== '=' || tokens[at + 2]?.text !== '[') throw wrong(`${key} is not a list`)
    const { values, next } = readList(tokens, at + 3, wrong)
    found.set(key, values)
    at = next
  }
  const kargs = found.get('kargs')
  if (kargs === undefined) throw wrong('no kargs in it')
  const bad = kargs.find((one) => !/^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(one))
  if (bad !== undefined) throw wrong(`${JSON.stringify(bad)} is no kernel argument`)
  return { kargs, matchArchitectures: found.get('match-architectures') ?? null }
}

type Token = { text: string; value: string | null }

function readList(
  tokens: readonly Token[],
  start: number,
  wrong: (found: string) => SnapError,
): { values: string[]; next: number } {
  const values: string[] = []
  let at = start
  for (;;) {
    const token = tokens[at]
    if (token?.text === ']') return { values, next: at + 1 }
    if (token?.value === undefined || token.value === null) throw wrong('a list of texts does not end')
    values.push(token.value)
    at += 1
    if (tokens[at]?.text === ',') at += 1
    else if (tokens[at]?.text !== ']') throw wrong('a list of texts does not end')
  }
}

function tokenize(text: string, wrong: (found: string) => SnapError): Token[] {
  const pattern = /[ \t\r\n]+|#[^\n]*|([A-Za-z0-9_-]+|[=,[\]])|("(?:[^"\\\n]|\\.)*")|'([^'\n]*)'/y
  const tokens: Token[] = []
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex
    const match = pattern.exec(text)
    if (match === null) throw wrong(`line ${text.slice(0, at).split('\n').length} is not understood`)
    const [, bare, basic, literal] = match
    if (bare !== undefined) tokens.push({ text: bare, value: null })
    if (basic !== undefined) tokens.push({ text: basic, value: unescaped(basic, wrong) })
    if (literal !== undefined) tokens.push({ text: `'${literal}'`, value: literal })
  }
  return tokens
}

/** TOML's escapes but \e and \U are JSON's. */
function unescaped(quoted: string, wrong: (found: string) => SnapError): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw wrong(`${quoted} is no text`)
  }
}
