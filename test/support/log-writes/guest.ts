import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { bundleProgram } from '../../../agent/container-snap/testing/program.ts'
import { baseImage } from '../vm/base-image.ts'

const script = join(import.meta.dirname, 'guest.sh')
const kernelArguments = [
  'root=/dev/vda',
  'rootfstype=btrfs',
  'rw',
  'init=/usr/sbin/log-writes',
  'net.ifnames=0',
  'console=ttyS0',
  'quiet',
  'panic=-1',
  'mitigations=off',
] as const
const guestTimeoutMs = 20 * 60_000
/** QEMU's user network: this machine's loopback, seen from a guest. */
const outside = '10.0.2.2'

export type GuestOptions = {
  /** Where there is room; what is made there stays. */
  directory: string
  /** The system to update. */
  disk: string
  /** Image to update to, as HOST:PORT/PATH@DIGEST on this machine's loopback. */
  image: string
}

/**
 * Updates the system of a disk in a Debian guest, whose kernel has the device-mapper that containers' kernels lack.
 * @returns The log device of dm-log-writes.
 */
export async function logUpdate({ directory, disk, image }: GuestOptions): Promise<string> {
  const boot = await makeRoot(directory, image)
  const log = join(directory, 'log.img')
  await writeFile(log, '')
  await truncate(log, 4 * 1024 ** 3)
  const drives = [boot.root, disk, log].flatMap((file) => [
    '-drive',
    `if=virtio,format=raw,cache=unsafe,discard=unmap,file=${file}`,
  ])
  const machine = [
    ['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    // QEMU 7.2 damages the flags after cmpxchg16b, and a guest's kernel then oopses at random.
    ['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max,-cx16', '-smp', '2', '-m', '1536'],
    ['-device', 'virtio-rng-pci', '-netdev', 'user,id=network'],
    ['-device', 'virtio-net-pci,netdev=network,romfile='],
    ['-kernel', boot.kernel, '-initrd', boot.initrd, '-append', kernelArguments.join(' ')],
  ].flat()
  const { stdout, stderr } = await execa('qemu-system-x86_64', [...machine, ...drives], {
    stdin: 'ignore',
    timeout: guestTimeoutMs,
    killSignal: 'SIGKILL',
    reject: false,
  })
  if (!stdout.includes('log-writes: exit status 0'))
    throw new Error(`the guest did not get to its end: ${stdout.slice(-6000)}${stderr}`)
  return log
}

type Boot = { root: string; kernel: string; initrd: string }

async function makeRoot(directory: string, image: string): Promise<Boot> {
  const tree = await mkdtemp(join(directory, 'tree-'))
  await unpack(await baseImage(), tree)
  await addDmsetup(tree)
  const program = await bundleProgram(join(directory, 'container-snap-guest'), 'plain')
  await copyFile(program, join(tree, 'usr/bin/container-snap'))
  await copyFile(script, join(tree, 'usr/sbin/log-writes'))
  await chmod(join(tree, 'usr/sbin/log-writes'), 0o755)
  await writeFile(join(tree, 'etc/log-writes-image'), `docker://${image}\n`)
  const [registry = ''] = image.split('/')
  const location = registry.replace('127.0.0.1', outside)
  const settings = `[[registry]]\nprefix = "${registry}"\nlocation = "${location}"\ninsecure = true\n`
  await writeFile(join(tree, 'etc/log-writes-registries.conf'), settings)
  const boot = { root: join(directory, 'root.img'), ...(await takeKernel(tree, directory)) }
  await writeFile(boot.root, '')
  await truncate(boot.root, 2 * 1024 ** 3)
  await execa('mkfs.btrfs', ['--quiet', '--rootdir', tree, boot.root])
  await rm(tree, { recursive: true })
  return boot
}

async function takeKernel(tree: string, directory: string): Promise<Omit<Boot, 'root'>> {
  const names = await readdir(join(tree, 'boot'))
  const take = async (prefix: string): Promise<string> => {
    const name = names.find((one) => one.startsWith(prefix))
    if (name === undefined) throw new Error(`the base image has no /boot/${prefix}…`)
    const copy = join(directory, prefix)
    await copyFile(join(tree, 'boot', name), copy)
    return copy
  }
  return { kernel: await take('vmlinuz'), initrd: await take('initrd.img') }
}

type Descriptor = { digest: string }

/** Our base image has one layer. */
async function unpack(image: string, tree: string): Promise<void> {
  const layout = image.replace(/^oci:(.*):[^:]*$/, '$1')
  const blob = ({ digest }: Descriptor): string => join(layout, 'blobs', digest.replace(':', '/'))
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    manifests: [Descriptor]
  }
  const manifest = JSON.parse(await readFile(blob(index.manifests[0]), 'utf8')) as { layers: [Descriptor] }
  await execa('tar', ['--zstd', '-C', tree, '-xf', blob(manifest.layers[0])])
}

/** This machine's own: no host needs it, so that the base image is without. Its other libraries are there. */
async function addDmsetup(tree: string): Promise<void> {
  const program = (await execa('which', ['dmsetup'])).stdout
  const { stdout } = await execa('ldd', [program])
  const library = /=> (\S*\/(libdevmapper\S+)) /.exec(stdout)
  const [, path, name] = library ?? []
  if (path === undefined || name === undefined) throw new Error(`${program} has no libdevmapper: ${stdout}`)
  await mkdir(join(tree, 'usr/lib/x86_64-linux-gnu'), { recursive: true })
  await copyFile(path, join(tree, 'usr/lib/x86_64-linux-gnu', name))
  await copyFile(program, join(tree, 'usr/sbin/dmsetup'))
}
