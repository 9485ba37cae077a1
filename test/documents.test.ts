import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { CommanderError } from '@commander-js/extra-typings'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { describe, expect, it } from 'vitest'
import { parseDocument, visit } from 'yaml'
import { buildProgram } from '../cli/program.ts'
import { shownCalls, withoutFenced } from './support/shown-commands.ts'

const root = join(import.meta.dirname, '..')
const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
// Each line of the reference is the program's own.
const withCommands = documents.filter((file) => /^(README|docs\/[^/]+)\.md$/.test(file))

describe.each(documents)('%s', (document) => {
  it('links to files and headings that are there', () => {
    const dead = linksOf(read(document)).filter(({ anchor, path }) => {
      const target = path === '' ? document : normalize(join(dirname(document), path))
      if (!existsSync(join(root, target))) return true
      return anchor !== '' && !(target.endsWith('.md') && anchorsOf(read(target)).has(anchor))
    })
    expect(dead).toEqual([])
  })
})

describe.each(withCommands)('%s', (document) => {
  it('shows only commands and options that the program takes', async () => {
    const refused: string[] = []
    for (const { isExact, line, words } of shownCalls(read(document))) {
      const why = isExact ? await refusal(words) : unknownIn(words)
      if (why !== null) refused.push(`${document}:${line}: bootfleet ${words.join(' ')}: ${why}`)
    }
    expect(refused).toEqual([])
  })
})

it.each(['github-pull-request', 'gitlab-merge-request'])('recipe %s calls what there is', async (name) => {
  const lines: string[] = []
  visit(parseDocument(read(`docs/recipes/${name}.yml`)), {
    Scalar: (_, { value }) => void (typeof value === 'string' && lines.push(value)),
  })
  const calls = shownCalls(['```sh', ...lines, '```'].join('\n')).map(({ words }) => words)
  const preview = ['preview', '.', '--inventory', 'hosts.inventory', '--output', 'markdown']
  expect(calls).toEqual([['validate', '.'], preview])
  expect(await Promise.all(calls.map(refusal))).toEqual([null, null])
})

it('quotes in docs/troubleshooting.md only what a program says', () => {
  const sources = execFileSync('git', ['ls-files', 'cli/*.ts', 'controller/*.ts', 'agent/*.ts'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file !== '' && !file.endsWith('.test.ts'))
  const said = sources.map(read).join('\n')
  const quoted = [...read('docs/troubleshooting.md').matchAll(/^\| `([^`|]+)`/gm)].map(
    (match) => match[1] ?? '',
  )
  expect(quoted.length).toBeGreaterThan(25)
  expect(quoted.filter((words) => !said.includes(words))).toEqual([])
})

it('finds the commands that it judges', () => {
  const calls = shownCalls(
    [
      '```console',
      '$ a=$(bootfleet dev image 1.0.0) && bootfleet get hosts \\',
      '    -o name > list; bootfleet pause edge --reason "two words"   # why',
      'bootfleet is printed here',
      '# bootfleet sync | cat',
      '```',
      'and `bootfleet status --wait\\|--watch`',
    ].join('\n'),
  )
  expect(calls.map(({ isExact, line, words }) => [line, isExact, words])).toEqual([
    [2, true, ['get', 'hosts', '-o', 'name']],
    [2, true, ['pause', 'edge', '--reason', 'two words']],
    [2, true, ['dev', 'image', '1.0.0']],
    [5, true, ['sync']],
    [7, false, ['status', '--wait|--watch']],
  ])
  expect(withCommands.flatMap((file) => shownCalls(read(file))).length).toBeGreaterThan(100)
})

it('misses no command or option that the program does not have', async () => {
  expect(await refusal(['status', '--wait'])).toBeNull()
  expect(await refusal(['staus'])).toMatch('unknown command')
  expect(await refusal(['status', '--wiat'])).toMatch('unknown option')
  expect(await refusal(['enrol', 'tokens', 'create'])).toMatch(/unknown command|too many arguments/)
  expect(await refusal(['pause', 'edge'])).toMatch('--reason')
  expect(await refusal(['get', 'hots'])).toMatch('Allowed choices')
  expect(unknownIn(['enrol', 'token', 'create|list', '[--label', 'K=V]…'])).toMatch('--label')
  expect(unknownIn(['enrol', 'token', 'create', '[--label', 'K=V]…'])).toBeNull()
  expect(unknownIn(['trust', 'init|rotte'])).toMatch('rotte')
})

type Link = { readonly path: string; readonly anchor: string }

function linksOf(text: string): readonly Link[] {
  const prose = withoutFenced(text).replaceAll(/`[^`\n]*`/g, 'code')
  return [...prose.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, path = '', anchor = '']) => ({ path, anchor }),
  )
}

/** As forges make them of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const anchors = [...withoutFenced(text).matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading = '']) => {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = words.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
  return new Set(anchors)
}

/** Why the program's own parser refuses it; its commands are not carried out. */
async function refusal(words: readonly string[]): Promise<string | null> {
  let said = ''
  const program = parser((text) => (said += text))
  try {
    await program.parseAsync(words, { from: 'user' })
    return null
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null
    return error instanceof CommanderError ? said.trim() : String(error)
  }
}

/** Of a synopsis: a command or option in it that there is not. */
function unknownIn(words: readonly string[]): string | null {
  let reached: readonly CommandUnknownOpts[] = [parser(() => undefined)]
  const rest = [...words]
  while (rest[0] !== undefined && reached.some((command) => command.commands.length > 0)) {
    if (!/^[a-z][a-z|-]*$/.test(rest[0])) break
    const names = rest.shift()?.split('|') ?? []
    const inner = names.map((name) =>
      reached.flatMap((command) => command.commands.filter((each) => isCalled(each, name))),
    )
    const missing = names.find((_, index) => inner[index]?.length === 0)
    if (missing !== undefined) return `no command ${missing}`
    reached = inner.flat()
  }
  const options = rest.join(' ').match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? []
  return options.find((option) => !reached.every((command) => takes(command, option))) ?? null
}

function isCalled(command: CommandUnknownOpts, name: string): boolean {
  return command.name() === name || command.aliases().includes(name)
}

function takes(command: CommandUnknownOpts, option: string): boolean {
  if (['-h', '--help'].includes(option)) return true
  const known = command.options.some(({ long, short }) => long === option || short === option)
  return known || (command.parent !== null && takes(command.parent, option))
}

function parser(note: (text: string) => void): CommandUnknownOpts {
  const program = buildProgram(
    {
      out: () => undefined,
      note,
      environment: {},
      homeDir: '/nowhere',
      interactive: false,
      colour: false,
      columns: () => 100,
      tty: null,
      signal: new AbortController().signal,
    },
    () => undefined,
  )
  disarm(program)
  return program
}

function disarm(command: CommandUnknownOpts): void {
  if (command.parent !== null) command.action(() => undefined)
  command.commands.forEach(disarm)
}
