import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { buildProgram } from './program.ts'

const HELP_COLUMNS = 100

/** docs/cli-reference.md: what every command says of itself. */
export function cliReference(): string {
  const commands = withInner(wholeProgram(), [])
  const contents = commands.map(
    ({ name }) => `[\`${name.replace(/^bootfleet /, '')}\`](#${name.replaceAll(' ', '-')})`,
  )
  const sections = commands.map(({ name, command }) => `## ${name}\n\n\`\`\`text\n${helpOf(command)}\`\`\`\n`)
  return [
    '# CLI reference\n',
    'What each command says of itself with `--help`. This page is made from the program by `make generate`, and',
    '`make check` fails when it is out of date: change the program, not the page. What the commands are for, and',
    'what they mean, is in [the `bootfleet` command](cli.md).\n',
    `${contents.join(' · ')}\n`,
    sections.join('\n'),
  ].join('\n')
}

type Named = { readonly name: string; readonly command: CommandUnknownOpts }

function withInner(command: CommandUnknownOpts, before: readonly string[]): readonly Named[] {
  const path = [...before, command.name()]
  const inner = command.createHelp().visibleCommands(command)
  return [
    { name: path.join(' '), command },
    // What commander adds by itself, `help`, is in no list of commands.
    ...inner.filter((each) => command.commands.includes(each)).flatMap((each) => withInner(each, path)),
  ]
}

function helpOf(command: CommandUnknownOpts): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => void (text += part),
    getOutHelpWidth: () => HELP_COLUMNS,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return `${text.replaceAll(/[ \t]+$/gm, '').trimEnd()}\n`
}

/** Only to be looked at: nothing is called. */
function wholeProgram(): CommandUnknownOpts {
  return buildProgram(
    {
      out: () => undefined,
      note: () => undefined,
      environment: {},
      homeDir: '/nowhere',
      interactive: false,
      colour: false,
      columns: () => HELP_COLUMNS,
      tty: null,
      signal: new AbortController().signal,
    },
    () => undefined,
  )
}
