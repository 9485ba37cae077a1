import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { baseImage } from './base-image.ts'

const exec = promisify(execFile)
const busybox = join(import.meta.dirname, '../../../.cache/tools/busybox')

/** What it prints before its kernel's line; then it does as `tiny.then=` says: off, reboot, or panic. */
export const tinyMark = 'TINY BOOTED'

const init = `#!/busybox sh
/busybox mkdir -p /proc /dev
/busybox mount -t proc proc /proc
echo "${tinyMark} $(/busybox cat /proc/cmdline)"
case "$(/busybox cat /proc/cmdline)" in
*tiny.then=off*) /busybox poweroff -f ;;
*tiny.then=reboot*) /busybox reboot -f ;;
esac
exit 1
`

export type TinySystem = { readonly kernel: Buffer; readonly initrd: Buffer }

/** Debian's kernel with an initrd that tells how it was booted: a boot that takes seconds. */
export async function tinySystem(scratch: string): Promise<TinySystem> {
  const initrd = archive([
    { path: 'dev', mode: 0o040755, content: Buffer.alloc(0) },
    { path: 'dev/console', mode: 0o020600, content: Buffer.alloc(0), device: [5, 1] },
    { path: 'busybox', mode: 0o100755, content: await readFile(busybox) },
    { path: 'init', mode: 0o100755, content: Buffer.from(init) },
  ])
  return { kernel: await debianKernel(scratch), initrd }
}

async function debianKernel(scratch: string): Promise<Buffer> {
  const layout = (await baseImage()).split(':')[1] ?? ''
  const blob = (digest: string): string => join(layout, 'blobs', digest.replace(':', '/'))
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[]
  }
  const manifest = JSON.parse(await readFile(blob(index.manifests[0]?.digest ?? ''), 'utf8')) as {
    layers: { digest: string }[]
  }
  const folder = join(scratch, 'kernel')
  await mkdir(folder, { recursive: true })
  const from = ['--zstd', '-xf', blob(manifest.layers[0]?.digest ?? ''), '-C', folder]
  await exec('tar', [...from, '--wildcards', './boot/vmlinuz-*'], { timeout: 300_000 })
  const [name = ''] = await readdir(join(folder, 'boot'))
  return readFile(join(folder, 'boot', name))
}

type Member = { path: string; mode: number; content: Buffer; device?: readonly [number, number] }

/** cpio in the form that the kernel unpacks. */
function archive(members: readonly Member[]): Buffer {
  const all = [...members, { path: 'TRAILER!!!', mode: 0, content: Buffer.alloc(0) }]
  return Buffer.concat(all.flatMap((member, index) => record(member, index + 1)))
}

function record({ path, mode, content, device = [0, 0] }: Member, inode: number): Buffer[] {
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, path.length + 1, 0]
  const head = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}${path}\0`
  return [padded(Buffer.from(head)), padded(content)]
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}

/** A deployment's root with this system in it, and what its kernel is told. */
export async function writeTinyRoot(
  root: string,
  system: TinySystem,
  title: string,
  words: readonly string[],
): Promise<void> {
  const folders = ['boot', 'usr/lib/bootc/kargs.d']
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true })
  await writeFile(join(root, 'usr/lib/os-release'), `PRETTY_NAME="${title}"\nVERSION_ID=1\n`)
  await writeFile(join(root, 'usr/lib/bootc/kargs.d/10-test.toml'), `kargs = ${JSON.stringify(words)}\n`)
  await writeFile(join(root, 'boot/vmlinuz-6.12'), system.kernel)
  await writeFile(join(root, 'boot/initrd.img-6.12'), system.initrd)
}
