import { homedir } from 'node:os'
import { CliError } from './errors.ts'
import { exitStatus } from './exit-status.ts'
import { runProgram } from './program.ts'
import { wantsColour } from './terminal.ts'
import type { Terminal } from './terminal.ts'
import { processTty } from './tty.ts'

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interruption.abort(new CliError('Interrupted', `interrupted by ${signal}`))
  })
}
// A reader that went away (`bootfleet status | head`) is no error of ours.
process.stdout.on('error', () => process.exit(exitStatus.done))
process.stderr.on('error', () => undefined)

const interactive = process.stdin.isTTY && process.stdout.isTTY
const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  environment: process.env,
  homeDir: homedir(),
  interactive,
  colour: wantsColour(process.env, process.stdout.isTTY),
  columns: () => process.stdout.columns,
  tty: interactive ? processTty() : null,
  signal: interruption.signal,
}

const status = await runProgram(process.argv.slice(2), terminal)
// A pipe takes its time; leaving at once would cut the output.
process.stdout.write('', () => process.exit(status))
