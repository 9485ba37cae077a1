import { readFile, readdir } from 'node:fs/promises'
import { resolveInside } from '../boot/inside-root.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'

export type PackageChange = { name: string; from: string | null; to: string | null }

export type PackageDiff =
  | { kind: 'compared'; manager: 'dpkg' | 'rpm'; changes: readonly PackageChange[] }
  | { kind: 'not-compared'; reason: string }

/** Version by name; where a name is installed several times, by name and architecture or all of its versions. */
type Packages = ReadonlyMap<string, string>

type Found = { manager: 'dpkg' | 'rpm'; packages: Packages } | { manager: null; reason: string }

export async function diffPackages(from: string, to: string, signal: AbortSignal): Promise<PackageDiff> {
  const before = await packagesOf(from, signal)
  const after = await packagesOf(to, signal)
  if (before.manager === null) return { kind: 'not-compared', reason: before.reason }
  if (after.manager === null) return { kind: 'not-compared', reason: after.reason }
  if (before.manager !== after.manager) {
    return { kind: 'not-compared', reason: `one has ${before.manager} and the other ${after.manager}` }
  }
  const names = [...new Set([...before.packages.keys(), ...after.packages.keys()])].toSorted()
  const changes = names.flatMap((name) => {
    const change = { name, from: before.packages.get(name) ?? null, to: after.packages.get(name) ?? null }
    return change.from === change.to ? [] : [change]
  })
  return { kind: 'compared', manager: before.manager, changes }
}

async function packagesOf(root: string, signal: AbortSignal): Promise<Found> {
  const dpkg = await dpkgStatus(root)
  if (dpkg !== '') return { manager: 'dpkg', packages: parseDpkg(dpkg) }
  for (const folder of ['usr/lib/sysimage/rpm', 'var/lib/rpm']) {
    if ((await namesIn(root, folder)).length > 0) return rpmPackages(root, signal)
  }
  return { manager: null, reason: 'no database of dpkg or rpm is in it' }
}

async function namesIn(root: string, folder: string): Promise<string[]> {
  const inside = await resolveInside(root, folder)
  return inside === null ? [] : readdir(inside).catch(() => [])
}

/** One file, or a file each where an image was put together without dpkg. */
async function dpkgStatus(root: string): Promise<string> {
  const single = 'var/lib/dpkg/status'
  const many = await namesIn(root, `${single}.d`)
  const files = [
    single,
    ...many.filter((name) => !name.endsWith('.md5sums')).map((name) => `${single}.d/${name}`),
  ]
  const texts: string[] = []
  for (const file of files) {
    const inside = await resolveInside(root, file)
    if (inside !== null) texts.push((await readFile(inside, 'utf8').catch(() => '')).trim())
  }
  return texts.filter((text) => text !== '').join('\n\n')
}

export function parseDpkg(text: string): Map<string, string> {
  const rows = text.split(/\n{2,}/).flatMap((stanza) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, 'm').exec(stanza)?.[1]
    const [name, version, state] = [field('Package'), field('Version'), field('Status')]
    // A removed package whose configuration is left still has a stanza; one of status.d has no state.
    const isInstalled = state === undefined || state.endsWith(' installed')
    if (name === undefined || version === undefined || !isInstalled) return []
    return [{ name, architecture: field('Architecture') ?? '', version }]
  })
  const counts = new Map<string, number>()
  for (const { name } of rows) counts.set(name, (counts.get(name) ?? 0) + 1)
  return new Map(
    rows.map(({ name, architecture, version }) => [
      (counts.get(name) ?? 0) > 1 ? `${name}:${architecture}` : name,
      version,
    ]),
  )
}

async function rpmPackages(root: string, signal: AbortSignal): Promise<Found> {
  const format = String.raw`%{NAME}\t%{EVR}\n`
  try {
    const command = ['rpm', '--root', root, '--query', '--all', '--queryformat', format] as const
    return {
      manager: 'rpm',
      packages: parseRpm(await run(command, { signal, attempt: `list packages of ${root}` })),
    }
  } catch (error) {
    if (error instanceof SnapError && error.message.includes('rpm is not installed'))
      return { manager: null, reason: 'rpm is not here' }
    throw error
  }
}

export function parseRpm(text: string): Map<string, string> {
  const packages = new Map<string, string>()
  for (const line of text.split('\n').toSorted()) {
    const [name = '', version = ''] = line.split('\t')
    if (name === '') continue
    const former = packages.get(name)
    packages.set(name, former === undefined ? version : `${former}, ${version}`)
  }
  return packages
}
