import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DEFAULT_NAME, locateContext, namedContextPath } from '../context.ts'
import { openDev } from '../dev/dev.ts'
import type { Dev } from '../dev/dev.ts'
import { devFleet } from '../dev/repository.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

type DevFlags = { hosts: number; state?: string; keep?: true }

export async function runDev({ terminal }: Session, flags: DevFlags): Promise<ExitStatus> {
  const stateDir =
    flags.state === undefined ? await mkdtemp(join(tmpdir(), 'bootfleet-')) : resolve(flags.state)
  const keep = flags.keep === true || flags.state !== undefined
  terminal.note(`» state in ${stateDir}${keep ? '' : ', removed at the end (--keep keeps it)'}\n`)
  let dev: Dev | null = null
  let ownsDefault = false
  try {
    dev = await openDev({ stateDir, hosts: flags.hosts, terminal })
    const defaultPath = namedContextPath(DEFAULT_NAME, terminal)
    ownsDefault = await offerDefault(dev, defaultPath)
    const used = await locateContext(undefined, terminal).catch(() => null)
    terminal.out(whatNext(dev, ownsDefault && used?.path === defaultPath))
    await aborted(terminal.signal)
    terminal.note('» stopping\n')
    return exitStatus.done
  } finally {
    await dev?.close()
    if (ownsDefault && dev !== null) await withdrawDefault(dev, namedContextPath(DEFAULT_NAME, terminal))
    if (!keep) await rm(stateDir, { recursive: true, force: true })
    terminal.note(keep ? `» state kept in ${stateDir}\n` : '» everything is stopped, unmounted and removed\n')
  }
}

/** A person without a context gets this one; one who has another keeps it. */
async function offerDefault(dev: Dev, defaultPath: string): Promise<boolean> {
  const taken = await access(defaultPath).then(
    () => true,
    () => false,
  )
  if (taken) return isOurs(dev, defaultPath)
  await mkdir(dirname(defaultPath), { recursive: true })
  await writeFile(defaultPath, await readFile(dev.layout.context, 'utf8'), { flag: 'wx' })
  return true
}

async function withdrawDefault(dev: Dev, defaultPath: string): Promise<void> {
  if (await isOurs(dev, defaultPath)) await rm(defaultPath, { force: true })
}

async function isOurs(dev: Dev, defaultPath: string): Promise<boolean> {
  const ours = await readFile(dev.layout.context, 'utf8').catch(() => null)
  return ours !== null && (await readFile(defaultPath, 'utf8').catch(() => null)) === ours
}

function whatNext({ layout, hosts }: Dev, isUsed: boolean): string {
  const lines = [
    `ready: fleet "${devFleet}" of ${hosts.length} host${hosts.length === 1 ? '' : 's'}. In another terminal:`,
    '',
    ...(isUsed ? [] : [`  export BOOTFLEET_CONTEXT=${layout.context}`]),
    '  bootfleet status                     where is the fleet',
    '  bootfleet web                        the same as a page; prints its address',
    '  bootfleet dev image 1.0.0            build, push and sign an image; prints repository@digest',
    `  git clone ${layout.gitDir} fleet`,
    '                                       put that digest into fleets/demo.yaml, commit, push',
    '  bootfleet status --wait              until every host runs it (exit status 0), or not (3)',
    '',
    'Ctrl-C stops everything.',
    '',
  ]
  return lines.join('\n')
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolvePromise) => {
    // A signal alone keeps no process alive; services do, unless all of them are between two starts.
    const alive = setInterval(() => undefined, 60_000)
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(alive)
        resolvePromise()
      },
      { once: true },
    )
  })
}
