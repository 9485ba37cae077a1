import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { baseImage } from './base-image.ts'
import { hostFiles } from './host-files.ts'

const exec = promisify(execFile)

/** Path in the image to what is there: text, a program, or nothing any more. */
export type Files = Readonly<Record<string, FileContent>>
export type FileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'program'; readonly text: string }
  | { readonly kind: 'gone' }

export const text = (content: string): FileContent => ({ kind: 'text', text: content })
export const program = (content: string): FileContent => ({ kind: 'program', text: content })
export const gone: FileContent = { kind: 'gone' }

export type HostImages = {
  /** Build a version whose own layer is these files, push it, and return its manifest digest. */
  push(version: string, files?: Files): Promise<string>
  /** The system that all versions share, as files in a folder that is there: a machine that was never an image. */
  unpack(directory: string): Promise<void>
  close(): Promise<void>
}

/** Versions of one host image that share all but a small layer, in `repository` of a registry without TLS. */
export async function openHostImages(
  dir: string,
  repository: string,
  packages: readonly string[],
): Promise<HostImages> {
  const place = ['--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--storage-driver']
  // In a container that is an overlay itself there is no second one, and whole copies have to do.
  const canOverlay = exec('buildah', [...place, 'overlay', 'info'], { timeout: 60_000 })
  const driver = await canOverlay.then(
    () => 'overlay',
    () => 'vfs',
  )
  const store = [...place, driver]
  const buildah = async (...args: string[]): Promise<string> => {
    const { stdout } = await exec('buildah', [...store, ...args], { timeout: 300_000 })
    return stdout.trim()
  }
  await mkdir(dir, { recursive: true })
  const base = await baseImage(packages)
  // Pushed by itself first: the versions' pushes then find their largest layer, compressed, in the registry.
  await exec('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', base, `docker://${repository}:base`], {
    timeout: 300_000,
  })
  const withPrograms = await addLayer(buildah, `docker://${repository}:base`, async (container, mount) => {
    await hostFiles(mount)
    return container
  })
  return {
    push: async (version, files = {}) => {
      const image = await addLayer(buildah, withPrograms, async (container, mount) => {
        await writeFiles(mount, { 'usr/lib/version': text(`${version}\n`), ...files })
        await buildah('config', '--label', `org.opencontainers.image.version=${version}`, container)
      })
      const digestFile = join(dir, `digest-${version}`)
      const flags = [
        '--quiet',
        '--tls-verify=false',
        '--compression-format',
        'zstd',
        '--compression-level',
        '1',
      ]
      await buildah('push', ...flags, '--digestfile', digestFile, image, `docker://${repository}:${version}`)
      return (await readFile(digestFile, 'utf8')).trim()
    },
    unpack: async (directory) => {
      const container = await buildah('from', '--quiet', withPrograms)
      const mount = await buildah('mount', container)
      await exec('cp', ['--archive', `${mount}/.`, directory], { timeout: 300_000 })
      await buildah('rm', container)
    },
    close: async () => {
      await buildah('rm', '--all')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function addLayer(
  buildah: (...args: string[]) => Promise<string>,
  from: string,
  change: (container: string, mount: string) => Promise<unknown>,
): Promise<string> {
  const container = await buildah('from', '--tls-verify=false', '--quiet', from)
  const mount = await buildah('mount', container)
  try {
    await change(container, mount)
  } finally {
    await buildah('umount', container)
  }
  return buildah('commit', '--quiet', '--rm', '--format', 'oci', container)
}

async function writeFiles(root: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path)
    await rm(target, { recursive: true, force: true })
    if (content.kind === 'gone') continue
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content.text)
    await chmod(target, content.kind === 'program' ? 0o755 : 0o644)
  }
}
