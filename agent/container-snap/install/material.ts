import { chmod, mkdir, open, readFile, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { resolveInside } from '../boot/inside-root.ts'
import { SnapError } from '../errors.ts'

/** What makes a machine this machine; read before anything is written, so that a wrong path costs nothing. */
export type Material = {
  hostname: string | null
  agentConfig: string | null
  authorizedKeys: string | null
  /** File name to content. */
  identity: Readonly<Record<string, string>>
}

export type MaterialOptions = {
  hostname: string | null
  agentConfig: string | null
  identity: string | null
  authorizedKeys: string | null
}

/** The agent's names; what else is in the folder stays out of the machine. */
const identityModes: Readonly<Record<string, number>> = {
  'key.pem': 0o600,
  'request.csr': 0o644,
  'certificate.pem': 0o644,
  'ca.pem': 0o644,
  'trust.jsonl': 0o644,
  'nats.key': 0o600,
  'nats.pub': 0o644,
  'nats.jwt': 0o644,
}

export async function readMaterial(options: MaterialOptions): Promise<Material> {
  const { hostname } = options
  if (
    hostname !== null &&
    !/^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)(\.(?!-)[a-zA-Z0-9-]{1,63}(?<!-))*$/.test(hostname)
  )
    throw new SnapError('usage', `--hostname ${hostname}: not a host name`)
  const read = async (option: string, path: string | null): Promise<string | null> =>
    path === null ? null : readText(option, path)
  return {
    hostname,
    agentConfig: await read('agent-config', options.agentConfig),
    authorizedKeys: await read('root-ssh-authorized-keys', options.authorizedKeys),
    identity: options.identity === null ? {} : await readIdentity(options.identity),
  }
}

async function readIdentity(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory).catch((error: Error) => {
    throw new SnapError('usage', `--identity ${directory}: ${error.message}`, { cause: error })
  })
  const wanted = Object.keys(identityModes).filter((name) => names.includes(name))
  if (wanted.length === 0) {
    const known = Object.keys(identityModes).join(', ')
    throw new SnapError('usage', `--identity ${directory}: it has none of ${known}`)
  }
  const texts = wanted.map(async (name) => [name, await readText('identity', join(directory, name))] as const)
  return Object.fromEntries(await Promise.all(texts))
}

async function readText(option: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: Error) => {
    throw new SnapError('usage', `--${option}: ${error.message}`, { cause: error })
  })
}

export type Places = {
  /** The deployment, whose /etc is the machine's. */
  root: string
  /** What is mounted at the machine's /var and at its /root. */
  var: string
  rootHome: string
}

export async function placeMaterial(places: Places, material: Material): Promise<void> {
  const { hostname, agentConfig, authorizedKeys, identity } = material
  if (hostname !== null) await place(places.root, 'etc/hostname', { text: `${hostname}\n`, mode: 0o644 })
  if (agentConfig !== null)
    await place(places.root, 'etc/bootfleet/agent.yaml', { text: agentConfig, mode: 0o600 })
  for (const [name, text] of Object.entries(identity)) {
    const folder = await folderInside(places.var, 'lib/bootfleet/agent/identity')
    await chmod(folder, 0o700)
    await place(folder, name, { text, mode: identityModes[name] ?? 0o600 })
  }
  if (authorizedKeys !== null) await addAuthorizedKeys(places.rootHome, authorizedKeys)
}

/** The image may have keys of its own. */
async function addAuthorizedKeys(home: string, keys: string): Promise<void> {
  const folder = await folderInside(home, '.ssh')
  await chmod(folder, 0o700)
  const shipped = await readFile(join(folder, 'authorized_keys'), 'utf8').catch(() => '')
  const separator = shipped === '' || shipped.endsWith('\n') ? '' : '\n'
  await place(folder, 'authorized_keys', { text: `${shipped}${separator}${keys.trimEnd()}\n`, mode: 0o600 })
}

/** Replaces a link by a file: what the link leads to is none of ours. */
export async function place(
  root: string,
  path: string,
  { text, mode }: { text: string; mode: number },
): Promise<void> {
  const target = join(await folderInside(root, dirname(path)), basename(path))
  await rm(target, { force: true })
  const file = await open(target, 'wx', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes what is missing, and takes the machine's own root for that of its absolute links. */
async function folderInside(root: string, path: string): Promise<string> {
  let folder = root
  for (const name of path.split('/').filter((one) => one !== '' && one !== '.')) {
    const next = relative(root, join(folder, name))
    const found = await resolveInside(root, next)
    if (found === null) await mkdir(join(root, next), { mode: 0o755 })
    folder = found ?? join(root, next)
  }
  return folder
}
