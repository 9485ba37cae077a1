import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { commandLines, fencedBlocks } from './shown-commands.ts'

export type Step = {
  readonly line: number
  readonly command: string
  readonly shown: readonly string[]
  readonly status: number
}

/** What a document has a person type, and what it says comes of it. */
export function stepsOf(text: string): readonly Step[] {
  return fencedBlocks(text)
    .filter(({ language }) => language === 'console')
    .flatMap((block) => {
      const commands = commandLines(block)
      return commands.map(([line, command], index) => {
        const end = commands[index + 1]?.[0] ?? Number.POSITIVE_INFINITY
        const output = block.lines.slice(line - block.line, end - block.line - 1)
        const status = output.map((each) => /^\(exit status (\d+)\)$/.exec(each)?.[1]).find((each) => each)
        return {
          line,
          command,
          shown: output.filter((each) => !/^(◎ .*|…|\(exit status \d+\))$/.test(each)),
          status: Number(status ?? 0),
        }
      })
    })
}

export type Answer = { readonly status: number; readonly lines: readonly string[] }

/** One shell for all steps, so that a folder or a variable of one is there in the next. */
export function openShell(options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): {
  readonly type: (command: string) => Promise<Answer>
  readonly close: () => Promise<void>
} {
  const shell = spawn('bash', ['-s'], { ...options, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  const printed = createInterface({ input: shell.stdout })[Symbol.asyncIterator]()
  shell.stdin.write('exec 2>&1\n')
  return {
    type: async (command) => {
      shell.stdin.write(`${command}\nprintf '\\nended %d\\n' $?\n`)
      const lines: string[] = []
      for (;;) {
        const { done, value } = await printed.next()
        if (done === true) throw new Error(`the shell ended after: ${command}\n${lines.join('\n')}`)
        const status = /^ended (\d+)$/.exec(value)?.[1]
        if (status !== undefined) return { status: Number(status), lines }
        lines.push(value)
      }
    },
    close: async () => {
      shell.stdin.end()
      await ended
    },
  }
}

/** What is shown and was not printed, in this order. A line that ends in ` …` is only the beginning of one. */
export function notPrinted(shown: readonly string[], printed: readonly string[]): readonly string[] {
  const lines = printed.map(withoutChance)
  let from = 0
  return shown.filter((line) => {
    const wanted = withoutChance(line)
    const beginning = wanted.endsWith(' …') ? wanted.slice(0, -1) : null
    const at = lines.findIndex(
      (each, index) =>
        index >= from && (each === wanted || (beginning !== null && each.startsWith(beginning))),
    )
    if (at !== -1) from = at + 1
    return at === -1
  })
}

/** Names, numbers and times that are others in each run. */
function withoutChance(line: string): string {
  return line
    .replaceAll(/[0-9a-f]{64}/g, 'DIGEST')
    .replaceAll(/(?<=@|sha256:)[0-9a-f]{12}/g, 'DIGEST')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?/g, 'INSTANT')
    .replaceAll(/\((\d+[smhd])+\)/g, '(AGE)')
    .replaceAll(/\b[0-9a-f]{7}\b/g, 'COMMIT')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replaceAll(/host-\d/g, 'HOST')
    .replaceAll(/^ID \d+ gen \d+/g, 'ID')
    .replaceAll(/^\d+(?= +INSTANT)|(?<=answers )\d+/g, 'ENTRY')
    .replaceAll(/(\d\/\d) +\d\/\d/g, '$1 HEALTHY')
    .replaceAll(/ +/g, ' ')
    .trim()
}
