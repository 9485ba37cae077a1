/** A `bootfleet` call as a document shows it. */
export type ShownCall = {
  readonly line: number
  /** What stands after the program's name, as a shell would split it. */
  readonly words: readonly string[]
  /** To be typed as it stands; else a synopsis, or a part of a sentence. */
  readonly isExact: boolean
}

export type ShownBlock = {
  readonly line: number
  readonly language: string
  readonly lines: readonly string[]
}

/** What stands between fences. */
export function fencedBlocks(text: string): readonly ShownBlock[] {
  const blocks: ShownBlock[] = []
  let open: { line: number; language: string; lines: string[] } | null = null
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```\s*(\S*)/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === null) open = { line: index + 1, language: fence[1] ?? '', lines: [] }
    else {
      blocks.push(open)
      open = null
    }
  }
  return blocks
}

/** The same number of lines, empty where something stood between fences. */
export function withoutFenced(text: string): string {
  let isOpen = false
  return text
    .split('\n')
    .map((line) => {
      const isFence = /^\s*```/.test(line)
      if (isFence) isOpen = !isOpen
      return isFence || isOpen ? '' : line
    })
    .join('\n')
}

/** Command lines of a block, whole where one goes on behind a backslash or, in a synopsis, further in. */
export function commandLines({ language, line, lines }: ShownBlock): readonly (readonly [number, string])[] {
  const found: [number, string][] = []
  let isOpen = false
  for (const [index, text] of lines.entries()) {
    const prompt = language === 'console' ? /^[$#] (.*)$/.exec(text)?.[1] : text
    const last = found.at(-1)
    const goesOn = isOpen || (language === '' && /^\s/.test(text))
    if (goesOn && last !== undefined) last[1] += ` ${text.trim()}`
    else if (prompt !== undefined) found.push([line + 1 + index, prompt])
    const current = found.at(-1)
    isOpen = current !== undefined && current[1].endsWith('\\')
    if (isOpen && current !== undefined) current[1] = current[1].slice(0, -1)
  }
  return found
}

export function shownCalls(text: string): readonly ShownCall[] {
  const fenced = fencedBlocks(text).flatMap((block) =>
    commandLines(block).flatMap(([line, command]) =>
      callsIn(command).map((words) => ({ line, words, isExact: ['console', 'sh'].includes(block.language) })),
    ),
  )
  const spans = withoutFenced(text)
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/`(bootfleet [^`]+)`/g)].map(([, span = '']) => ({
        line: index + 1,
        words: splitWords(span.replaceAll('\\|', '|')).slice(1),
        isExact: false,
      })),
    )
  return [...fenced, ...spans]
}

/** Every call of the program in a command line, those in `$(…)` and `<(…)` too. */
function callsIn(commandLine: string): readonly (readonly string[])[] {
  const inner = [...commandLine.matchAll(/[$<]\(([^()]*)\)/g)].map((match) => match[1] ?? '')
  const outer = commandLine.replaceAll(/[$<]\([^()]*\)/g, 'substituted')
  return [outer, ...inner].flatMap((each) => {
    const calls: string[][] = [[]]
    for (const word of splitWords(each)) {
      if (/^(&&|\|\||;|&)$/.test(word) || word === '|') calls.push([])
      else calls.at(-1)?.push(word)
    }
    return calls.filter(([name]) => name === 'bootfleet').map((words) => withoutRedirection(words.slice(1)))
  })
}

function withoutRedirection(words: readonly string[]): readonly string[] {
  const at = words.findIndex((word) => /^[0-9]?[<>]/.test(word))
  return at === -1 ? words : words.slice(0, at)
}

/** As a shell splits; quotes go, and so does a comment. */
function splitWords(text: string): readonly string[] {
  const words = [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word)
  const comment = words.findIndex((word) => word.startsWith('#'))
  return words
    .slice(0, comment === -1 ? words.length : comment)
    .flatMap((word) => (/^[^"']+;$/.test(word) ? [word.slice(0, -1), ';'] : [word]))
    .map((word) =>
      word.replaceAll(
        /"([^"]*)"|'([^']*)'/g,
        (_, double?: string, single?: string) => double ?? single ?? '',
      ),
    )
}
