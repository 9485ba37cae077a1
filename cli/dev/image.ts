import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from '../errors.ts'
import type { DevLayout } from './layout.ts'
import { run } from './process.ts'
import { signImage } from './sign-image.ts'

export type ImageRequest = { readonly version: string; readonly broken: boolean }
export type PushedImage = { readonly repository: string; readonly digest: string }

/** Applets that the checks use; a system image has them all as links to one static program. */
const applets = ['sh', 'cat', 'echo', 'grep', 'ls', 'test']
const directories = [
  'dev',
  'etc',
  'proc',
  'run',
  'sys',
  'tmp',
  'var',
  'usr/bin',
  'usr/lib/bootfleet/checks',
  'usr/share/www',
]

/** As a service's own check would ask it: it fails where there is no page to serve. */
const webUp = `#!/bin/sh
page=/usr/share/www/index.html
if test -s "$page"; then
  echo "web-up: serving $(cat "$page")"
else
  echo "web-up: $page is empty, there is nothing to serve"
  exit 1
fi
`

/** Builds a small image of a whole system, pushes it to the registry on this machine and signs it as a release. */
export async function buildImage(
  layout: DevLayout,
  tools: {
    readonly buildah: string
    readonly busybox: string
    readonly registry: string
    readonly signal: AbortSignal
  },
  request: ImageRequest,
): Promise<PushedImage> {
  const { version } = request
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(version)) {
    throw new CliError(
      'BadUsage',
      `"${version}" is no version: letters, digits, dot, dash and underscore, at most 64`,
    )
  }
  const work = join(layout.build, `${process.pid}-${version}`)
  const tree = join(work, 'root')
  const digestFile = join(work, 'digest')
  const repository = `${tools.registry}/os`
  await mkdir(layout.build, { recursive: true })
  try {
    await writeTree(tree, tools.busybox, request)
    const buildah = (...args: string[]): Promise<string> =>
      run(tools.buildah, [...storeFlags(layout), ...args], {
        signal: tools.signal,
        env: { CONTAINERS_REGISTRIES_CONF: layout.registriesConf },
      })
    const container = await buildah('from', 'scratch')
    await buildah('copy', '--quiet', container, tree, '/')
    await buildah(
      'config',
      '--cmd',
      '/bin/sh',
      '--label',
      `org.opencontainers.image.version=${version}`,
      container,
    )
    const image = await buildah('commit', '--quiet', '--rm', '--format', 'oci', container)
    const target = `docker://${repository}:${version}`
    await buildah('push', '--quiet', '--tls-verify=false', '--digestfile', digestFile, image, target)
    const pushed = { repository, digest: (await readFile(digestFile, 'utf8')).trim() }
    await signImage(pushed, layout.releaseKey, tools.signal)
    return pushed
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** A store of its own, so that a build never meets the images of the person's own podman. */
function storeFlags(layout: DevLayout): string[] {
  const at = (name: string): string => join(layout.build, name)
  return ['--root', at('store'), '--runroot', at('run'), '--storage-driver', 'vfs']
}

async function writeTree(root: string, busybox: string, { version, broken }: ImageRequest): Promise<void> {
  await rm(root, { recursive: true, force: true })
  for (const directory of directories) await mkdir(join(root, directory), { recursive: true })
  await copyFile(busybox, join(root, 'usr/bin/busybox'))
  await chmod(join(root, 'usr/bin/busybox'), 0o755)
  for (const applet of applets) await symlink('busybox', join(root, 'usr/bin', applet))
  await symlink('usr/bin', join(root, 'bin'))
  const release = [
    'ID=bootfleet-dev',
    'NAME="bootfleet dev"',
    `VERSION_ID=${version}`,
    `PRETTY_NAME="bootfleet dev ${version}"`,
  ]
  await writeFile(join(root, 'usr/lib/os-release'), `${release.join('\n')}\n`)
  await symlink('../usr/lib/os-release', join(root, 'etc/os-release'))
  await writeFile(join(root, 'etc/motd'), `bootfleet dev ${version}\n`)
  await writeFile(join(root, 'usr/share/www/index.html'), broken ? '' : `<p>bootfleet dev ${version}</p>\n`)
  await writeFile(join(root, 'usr/lib/bootfleet/checks/web-up'), webUp, { mode: 0o755 })
}
