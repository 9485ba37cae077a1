import { askerOf } from './asker.ts'
import type { AskerSigns } from './asker.ts'
import { parseArguments, usage } from './arguments.ts'
import { commands, needsStore } from './commands/table.ts'
import type { Context } from './context.ts'
import { exitStatusOf, oneLine } from './errors.ts'
import { prepareStore, storePaths } from './store/paths.ts'

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** Waits until the text is with the reader; process.exit would cut a pipe short. */
async function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === '') return
  await new Promise<void>((resolve, reject) =>
    stream.write(text, (error) => (error ? reject(error) : resolve())),
  )
}

/** The environment's part of it; only tests give a failpoint. */
export type Surroundings = AskerSigns & {
  registriesConf: string | undefined
  failpoint?: (name: string) => Promise<void>
}

/** The whole program but its end; returns the exit status. */
export async function runProgram(surroundings: Surroundings): Promise<number> {
  process.stdout.on('error', () => {}) // a reader that is gone is told by the write that fails
  const abort = new AbortController()
  let signalled: number | null = null
  for (const [signal, status] of Object.entries(signals)) {
    process.on(signal, () => {
      signalled = status
      abort.abort()
    })
  }
  try {
    const parsed = parseArguments(process.argv.slice(2))
    if (parsed.kind === 'help') {
      await write(process.stdout, usage)
      return 0
    }
    const { values } = parsed
    const context: Context = {
      ...surroundings,
      asker: () => askerOf(surroundings),
      paths: storePaths(values.sysroot ?? '/'),
      signal: abort.signal,
      json: values.json ?? false,
      emit: (line) => void process.stdout.write(`${line}\n`),
      warn: (line) => void process.stderr.write(`container-snap: ${line}\n`),
      log: (line) => void (values.verbose && process.stderr.write(`container-snap: ${line}\n`)),
    }
    if (needsStore(parsed)) await prepareStore(context.paths)
    const result = await commands[parsed.command](context, parsed)
    if (typeof result !== 'string') return result.status
    await write(process.stdout, result)
    return 0
  } catch (error) {
    await write(process.stderr, `container-snap: ${oneLine(error)}\n`)
    return signalled ?? exitStatusOf(error)
  }
}
