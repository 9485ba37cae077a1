import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { inTurns, render } from './figures.ts'

/* What the command line costs before it does anything: it is typed often, and completion starts it at each Tab. */

const ROUNDS = 31
const program = fileURLToPath(new URL('../../dist/bootfleet', import.meta.url))

const times = await inTurns(ROUNDS, {
  ours: () => execa(process.execPath, [program, '--version']),
  theirs: () => execa(process.execPath, ['-e', '0']),
})
const { text, ok } = render([
  { name: 'bootfleet --version', ...times, unit: 'ms', limit: 2, against: 'node -e 0' },
])
process.stdout.write(text)
if (!ok) process.exitCode = 1
