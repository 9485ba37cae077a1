import { lstat, mkdir, readFile, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { carriedAccounts, DATABASES } from './accounts.ts'
import type { Texts } from './accounts.ts'
import { HOST_KEY, MACHINE_FILES, NETWORK } from './carried.ts'
import { fstabOfNewRoot, parseFstab } from './fstab.ts'
import type { Journal } from './journal.ts'
import { STATE_FOLDER } from './journal.ts'
import type { Workplace } from './workplace.ts'

/** The old /etc, whole. */
export const ADOPTED_ETC = `${STATE_FOLDER}/adopted-etc`
/** What of it goes over the image's /etc; and nothing, which that is a change of. */
export const CARRIED_ETC = `${STATE_FOLDER}/carried-etc`
export const CARRIED_BASE = `${STATE_FOLDER}/carried-base`

type Copying = { readonly etc: string; readonly call: Workplace['call'] }

export async function keepWholeEtc({ etc, call }: Copying, root: string): Promise<void> {
  const kept = join(root, ADOPTED_ETC)
  await rm(kept, { recursive: true, force: true })
  await rm(`${kept}.new`, { recursive: true, force: true })
  await mkdir(dirname(kept), { recursive: true, mode: 0o700 })
  await copy({ etc, call }, '', `${kept}.new`)
  await rename(`${kept}.new`, kept)
}

/** Makes the folder of what is carried over, for an image that is unpacked at `image`. */
export async function carryEtc(
  copying: Copying,
  { root, image, journal }: { readonly root: string; readonly image: string; readonly journal: Journal },
): Promise<void> {
  const { etc } = copying
  const carried = join(root, CARRIED_ETC)
  await rm(carried, { recursive: true, force: true })
  await mkdir(carried, { recursive: true, mode: 0o700 })
  await mkdir(join(root, CARRIED_BASE), { recursive: true })
  const keys = (await readdir(join(etc, 'ssh')).catch(() => [])).filter((name) => HOST_KEY.test(name))
  for (const path of [...MACHINE_FILES, ...NETWORK, ...keys.map((name) => `ssh/${name}`)]) {
    const there = await lstat(join(etc, path)).catch(() => null)
    if (there === null) continue
    await mkdir(dirname(join(carried, path)), { recursive: true, mode: 0o755 })
    await copy(copying, path, join(carried, path))
  }
  await writeFile(join(carried, 'fstab'), await newFstab(etc, image, journal), { mode: 0o644 })
  await writeAccounts(etc, image, carried)
}

async function copy({ etc, call }: Copying, path: string, to: string): Promise<void> {
  const from = join(etc, path)
  await call(['cp', '--archive', '--reflink=auto', '--no-target-directory', from, to], `copy /etc/${path}`)
}

async function newFstab(etc: string, image: string, journal: Journal): Promise<string> {
  const own = [...journal.mountings, ...journal.created.map(({ at, name }) => ({ at, subvolume: name }))]
  const placed = await Promise.all(
    own.map(async ({ at, subvolume }) => ({ at: await placeIn(image, at), subvolume })),
  )
  return fstabOfNewRoot(await textOf(join(etc, 'fstab')), journal.root.uuid, placed)
}

const LINKS_MAX = 20

/**
 * Where a path leads in a root that is not ours: an image may have /home as a link to /var/home, and an absolute link
 * followed by the kernel would lead out of it. What is not there yet is no link.
 */
export async function placeIn(root: string, at: string): Promise<string> {
  let done = '/'
  let rest = at.split('/').filter(Boolean)
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const target = await readlink(join(root, done, name)).catch(() => null)
    links += target === null ? 0 : 1
    if (links > LINKS_MAX) return at
    if (target === null) done = join(done, name)
    else {
      rest = [...resolve(done, target).split('/').filter(Boolean), ...rest]
      done = '/'
    }
  }
  return done
}

async function writeAccounts(etc: string, image: string, carried: string): Promise<void> {
  const read = async (folder: string): Promise<Texts> => {
    const texts = DATABASES.map(async (name) => [name, await textOf(join(folder, name))] as const)
    return Object.fromEntries(await Promise.all(texts)) as Texts
  }
  const texts = carriedAccounts(await read(etc), await read(join(image, 'etc')))
  for (const name of DATABASES) {
    const mode = name.includes('shadow') ? 0o600 : 0o644
    if (texts[name] !== '') await writeFile(join(carried, name), texts[name], { mode, encoding: 'latin1' })
  }
}

/** One character a byte, so that nothing is lost. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '')
}

/** Folders to mount on, which nothing can make once the root is read-only. */
export async function makeMountPoints(deployment: string, root: string): Promise<void> {
  const lines = parseFstab(await textOf(join(deployment, 'etc/fstab')))
  for (const line of lines.filter(({ at }) => at.startsWith('/'))) {
    const at = await placeIn(deployment, line.at)
    await mkdir(join(at.startsWith('/var/') ? root : deployment, at), { recursive: true })
  }
}
