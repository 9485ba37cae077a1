import { lstat, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { linesByName, isPerson } from './accounts.ts'
import { HOST_KEY, NETWORK } from './carried.ts'
import type { Facts } from './facts.ts'
import { parseFstab } from './fstab.ts'

export type EtcFacts = Pick<
  Facts,
  'fstab' | 'podman' | 'seLinux' | 'snapper' | 'updaters' | 'people' | 'hostKeys' | 'network'
> & { readonly podmanRoot: string | null }

/** Updaters that would change the root beside ours. */
const UPDATERS =
  /^(transactional-update\.timer|rebootmgr\.service|unattended-upgrades\.service|apt-daily-upgrade\.timer|dnf-automatic.*\.timer|dnf5-automatic\.timer|bootc-fetch-apply-updates\.timer|rpm-ostreed-automatic\.timer)$/

export async function gatherEtc(sysroot: string): Promise<EtcFacts> {
  const etc = join(sysroot, 'etc')
  const text = async (path: string): Promise<string> => readFile(join(etc, path), 'utf8').catch(() => '')
  const people = [...linesByName(await text('passwd'))].filter(([, line]) => isPerson(line))
  const configured = /^\s*graphroot\s*=\s*"([^"]*)"/m.exec(await text('containers/storage.conf'))?.[1] ?? null
  return {
    fstab: parseFstab(await text('fstab')),
    podman: await findPodman(sysroot, configured ?? '/var/lib/containers/storage'),
    podmanRoot: configured,
    seLinux: await seLinuxOf(sysroot, await text('selinux/config')),
    snapper: (await namesIn(join(etc, 'snapper/configs'))).length > 0,
    updaters: await enabledUpdaters(join(etc, 'systemd/system')),
    people: people.map(([name]) => name).toSorted(),
    hostKeys: (await namesIn(join(etc, 'ssh'))).filter((name) => HOST_KEY.test(name)).toSorted(),
    network: await thereOf(etc, NETWORK),
  }
}

async function thereOf(etc: string, paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const path of paths) {
    const there = await lstat(join(etc, path)).catch(() => null)
    const isEmpty = there?.isDirectory() === true && (await namesIn(join(etc, path))).length === 0
    if (there !== null && !isEmpty) found.push(path)
  }
  return found
}

/** What enables a unit is a link in a folder of those that want it. */
async function enabledUpdaters(folder: string): Promise<readonly string[]> {
  const wanting = (await namesIn(folder)).filter((name) => /\.(wants|requires)$/.test(name))
  const units = await Promise.all(wanting.map(async (name) => namesIn(join(folder, name))))
  return [...new Set(units.flat().filter((unit) => UPDATERS.test(unit)))].toSorted()
}

async function findPodman(sysroot: string, place: string): Promise<EtcFacts['podman']> {
  const names = await namesIn(join(sysroot, place))
  const driver = ['overlay', 'btrfs', 'vfs'].find((name) => names.includes(`${name}-images`))
  return driver === undefined ? null : { place, driver }
}

/** The kernel's own word first; without it, what the configuration says for the next boot. */
async function seLinuxOf(sysroot: string, config: string): Promise<EtcFacts['seLinux']> {
  const enforce = await readFile(join(sysroot, 'sys/fs/selinux/enforce'), 'utf8').catch(() => null)
  if (enforce !== null) return enforce.trim() === '1' ? 'enforcing' : 'permissive'
  const said = /^SELINUX=(\w+)/m.exec(config)?.[1]
  return said === 'enforcing' || said === 'permissive' ? said : 'none'
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}
