import { createInterface } from 'node:readline/promises'
import { stdin } from 'node:process'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import { checkHosts } from './demo-summary.ts'
import type { Dev } from './dev.ts'
import type { PushedImage } from './image.ts'
import { runShown } from './process.ts'
import { commitFiles, devFleet, fleetFile, fleetPath } from './repository.ts'
import { findProgram } from './tools.ts'

const waitTimeout = '150s'
/** A demo that nobody watches goes on by itself. */
const enterTimeoutMs = 15_000

type Chapter = {
  readonly title: string
  readonly say: string
  readonly version: string
  readonly broken: boolean
  readonly expected: ExitStatus
}

const chapters: readonly Chapter[] = [
  {
    title: '1.0.0: a good update',
    say: 'A commit names a new digest. First one canary host, then the rest; each reboots and proves its health.',
    version: '1.0.0',
    broken: false,
    expected: exitStatus.done,
  },
  {
    title: '2.0.0: and another, canary → rest',
    say: 'The same again, so that there is a release to fall back to.',
    version: '2.0.0',
    broken: false,
    expected: exitStatus.done,
  },
  {
    title: '3.0.0: broken',
    say: 'Its check web-up fails. The canary falls back by itself; nobody else ever gets it. Exit status 3 is right here.',
    version: '3.0.0',
    broken: true,
    expected: exitStatus.failed,
  },
]

/** The tour, in plain lines: every status shown is the output of the real command. */
export async function runDemo(dev: Dev, terminal: Terminal): Promise<ExitStatus> {
  const startedMs = performance.now()
  const status = await statusCommand(dev, terminal)
  terminal.out(heading('0.0.0: the fleet as it starts'))
  if ((await status('--wait', '--timeout', waitTimeout)) !== exitStatus.done) {
    return fail(terminal, 'the fleet did not become Synced with 0.0.0')
  }
  const pushed = new Map<string, PushedImage>()
  for (const chapter of chapters) {
    await pause(terminal)
    terminal.out(heading(chapter.title) + `${chapter.say}\n\n`)
    const image = await dev.pushImage(chapter)
    pushed.set(chapter.version, image)
    const files = { [fleetPath]: fleetFile(image) }
    const commit = await commitFiles(
      dev.layout,
      { subject: `Run ${chapter.version}`, files },
      terminal.signal,
    )
    terminal.out(
      `$ git commit -m "Run ${chapter.version}" && git push     # ${commit.slice(0, 7)}, ${image.digest}\n`,
    )
    const exit = await status(devFleet, '--wait', '--revision', commit, '--timeout', waitTimeout)
    terminal.out(`\nexit status ${exit}\n`)
    if (exit !== chapter.expected) return fail(terminal, `expected exit status ${chapter.expected}`)
  }
  terminal.out(heading('what is on the disks'))
  const wanted = pushed.get('2.0.0')
  const differences = await checkHosts(dev, terminal, { version: '2.0.0', digest: wanted?.digest ?? '' })
  if (differences.length > 0) return fail(terminal, differences.join('\n'))
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  terminal.out(`\n✔ every host runs 2.0.0, as git said before the broken commit; ${seconds} s\n`)
  return exitStatus.done
}

async function statusCommand(dev: Dev, terminal: Terminal): Promise<(...args: string[]) => Promise<number>> {
  const program = await findProgram(dev.tools, 'bootfleet')
  const options = {
    signal: terminal.signal,
    timeoutMs: 200_000,
    env: { BOOTFLEET_CONTEXT: dev.layout.context },
  }
  return (...args) => {
    terminal.out(`$ bootfleet status ${args.join(' ')}\n`)
    return runShown(process.execPath, [program, 'status', ...args], options)
  }
}

async function pause(terminal: Terminal): Promise<void> {
  if (!terminal.interactive) return
  const lines = createInterface({ input: stdin })
  const goOn = new AbortController()
  const timer = setTimeout(() => goOn.abort(), enterTimeoutMs)
  const signal = AbortSignal.any([terminal.signal, goOn.signal])
  terminal.out(`\nEnter goes on (by itself in ${enterTimeoutMs / 1000} s) `)
  await lines.question('', { signal }).catch(() => terminal.out('\n'))
  clearTimeout(timer)
  lines.close()
  terminal.signal.throwIfAborted()
}

function heading(title: string): string {
  return `\n── ${title} ──\n`
}

function fail(terminal: Terminal, why: string): ExitStatus {
  terminal.note(`✖ ${why}\n`)
  return exitStatus.error
}
