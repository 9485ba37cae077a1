import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { renderTable } from '../render/table.ts'
import type { Terminal } from '../terminal.ts'
import type { Dev } from './dev.ts'
import { hostLayout } from './layout.ts'
import { run } from './process.ts'
import { findProgram } from './tools.ts'

export type Wanted = { readonly version: string; readonly digest: string }

const SnapStatus = z.object({
  current: z.object({ id: z.string(), digest: z.string().nullish() }).nullable(),
})
const Listed = z.object({ hosts: z.array(z.object({ name: z.string(), bootedDigest: z.string() })) })

/** What each host really runs, read from its disk and not from the controller; returns what differs. */
export async function checkHosts(dev: Dev, terminal: Terminal, wanted: Wanted): Promise<string[]> {
  const rows = [['HOST', 'VERSION_ID', 'DIGEST', 'CURRENT DEPLOYMENT', 'MOUNTED = DEFAULT SUBVOLUME']]
  const differences: string[] = []
  for (const name of dev.hosts) {
    const found = dev.tools.simulatedBecause === null ? await readDisk(dev, terminal, name) : null
    if (found === null) continue
    rows.push([name, found.version, short(found.digest), short(found.current), short(found.mounted)])
    if (found.version !== wanted.version) {
      differences.push(`${name}: VERSION_ID of the mounted root is ${found.version}, not ${wanted.version}`)
    }
    if (found.digest !== wanted.digest) {
      differences.push(`${name}: container-snap says ${found.digest} runs, not ${wanted.digest}`)
    }
    if (!found.defaultSubvolume.endsWith(`/${found.mounted}`)) {
      differences.push(`${name}: boots ${found.defaultSubvolume} next, and runs ${found.mounted}`)
    }
  }
  if (rows.length > 1) terminal.out(renderTable(rows))
  return [...differences, ...(await checkReported(dev, terminal, wanted))]
}

type Found = {
  readonly version: string
  readonly defaultSubvolume: string
  /** Deployment id, and the digest it was made of. */
  readonly current: string
  readonly digest: string
  readonly mounted: string
}

async function readDisk(dev: Dev, terminal: Terminal, name: string): Promise<Found> {
  const { sysroot } = hostLayout(dev.layout, name)
  const containerSnap = await findProgram(dev.tools, 'container-snap')
  const { signal } = terminal
  const snap = (...args: string[]): Promise<string> =>
    run(containerSnap, ['--sysroot', sysroot, ...args], { signal })
  const { current } = SnapStatus.parse(JSON.parse(await snap('status', '--json')))
  const subvolume = await run('btrfs', ['subvolume', 'get-default', sysroot], { signal })
  const shown = await run('btrfs', ['subvolume', 'show', sysroot], { signal })
  const release = await readFile(join(sysroot, 'usr/lib/os-release'), 'utf8')
  return {
    version: /^VERSION_ID=(.*)$/m.exec(release)?.[1] ?? '-',
    defaultSubvolume: (/path (.*)$/.exec(subvolume)?.[1] ?? '-').trim(),
    current: (await snap('get-current')).trim(),
    digest: current?.digest ?? 'nothing',
    mounted: /^\s*Name:\s*(\S+)$/m.exec(shown)?.[1] ?? '-',
  }
}

/** The controller's view must say the same. */
async function checkReported(dev: Dev, terminal: Terminal, wanted: Wanted): Promise<string[]> {
  const program = await findProgram(dev.tools, 'bootfleet')
  const stdout = await run(process.execPath, [program, 'get', 'hosts', '-o', 'json'], {
    signal: terminal.signal,
    env: { BOOTFLEET_CONTEXT: dev.layout.context },
  })
  const { hosts } = Listed.parse({ hosts: JSON.parse(stdout) })
  return dev.hosts.flatMap((name) => {
    const digest = hosts.find((host) => host.name === name)?.bootedDigest ?? 'nothing'
    return digest === wanted.digest ? [] : [`${name}: reports ${digest}, not ${wanted.digest}`]
  })
}

/** Hashes are long: their beginning, and the work number that tells copies apart. */
function short(name: string): string {
  return name.replace(/^sha256:/, '').replace(/^([0-9a-f]{12})[0-9a-f]+/, '$1')
}
