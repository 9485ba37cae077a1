import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { bundle } from './program.ts'
import type { Outcome } from './program.ts'
import type { TreeFiles } from './system-tree.ts'
import { unpackTree } from './system-tree.ts'

/** The smallest image that an installer takes for a bootable one. */
export const bootableTree: TreeFiles = {
  'etc/os-release': 'ID=tiny\nVERSION_ID=1\n',
  'etc/fstab': 'tmpfs /tmp tmpfs nosuid 0 0\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'usr/lib/systemd/boot/efi/systemd-bootx64.efi': 'MZ systemd-boot',
  'usr/lib/modules/6.12.0/vmlinuz': 'kernel of 1',
  'usr/lib/modules/6.12.0/initrd': 'initrd of 1',
  'usr/local/bin/local-tool': 'shipped',
  'var/lib/dpkg/status': 'Package: base-files\n',
  'var/lib/container-snap/': '',
  'root/.bashrc': 'umask 022\n',
  'root/.ssh/authorized_keys': 'ssh-ed25519 shipped',
  'srv/': '',
  opt: { linkTo: 'var/opt' },
}

export type Installer = {
  /** A folder for disks. */
  folder: string
  archive: string
  /** Without any network, not even the loopback. */
  run: (...args: string[]) => Promise<Outcome>
  /** `interrupt` is Ctrl-C: what the program started gets the signal too. */
  start: (...args: string[]) => { interrupt: () => void; outcome: Promise<Outcome> }
  makeArchive: (name: string, files: TreeFiles) => Promise<string>
  close: () => Promise<void>
}

export async function openInstaller(): Promise<Installer> {
  const folder = await mkdtemp(join(tmpdir(), 'container-snap-installer-'))
  const program = join(folder, 'container-snap.mjs')
  await bundle('main.ts', program)
  const makeArchive = async (name: string, files: TreeFiles): Promise<string> => {
    const tree = await unpackTree(files)
    const store = ['--root', join(folder, 'b'), '--runroot', join(folder, 'r'), '--storage-driver', 'vfs']
    const buildah = async (...args: string[]): Promise<string> =>
      (await execa('buildah', [...store, ...args])).stdout
    const container = await buildah('from', 'scratch')
    await buildah('add', '--quiet', container, tree.root, '/')
    const image = await buildah('commit', '--quiet', '--rm', container)
    const file = join(folder, `${name}.tar`)
    await buildah('push', '--quiet', image, `oci-archive:${file}:localhost/${name}:1`)
    await tree.close()
    return file
  }
  const start: Installer['start'] = (...args) => {
    const child = execa('unshare', ['--net', '--', 'node', program, 'install', 'to-disk', ...args], {
      reject: false,
      stdin: 'ignore',
      env: { TMPDIR: folder },
      detached: true,
    })
    const outcome = child.then(({ exitCode, stdout, stderr }) => ({ status: exitCode, stdout, stderr }))
    return { interrupt: () => process.kill(-(child.pid ?? 0), 'SIGINT'), outcome }
  }
  return {
    folder,
    archive: await makeArchive('os', bootableTree),
    run: async (...args) => start(...args).outcome,
    start,
    makeArchive,
    close: async () => rm(folder, { recursive: true, force: true }),
  }
}

export type TablePartition = { start: number; size: number; type: string; uuid: string; name: string }

export async function readTable(disk: string): Promise<TablePartition[]> {
  const { stdout } = await execa('sfdisk', ['--json', disk])
  return (JSON.parse(stdout) as { partitiontable: { partitions: TablePartition[] } }).partitiontable
    .partitions
}

const espStart = '1048576'

/** Files of the ESP, without the folders. */
export async function listEsp(disk: string): Promise<string[]> {
  const { stdout } = await execa('mdir', ['-b', '-/', '-i', `${disk}@@${espStart}`, '::/'])
  return stdout.split('\n').filter((line) => line !== '' && !line.endsWith('/'))
}

export async function readEsp(disk: string, path: string): Promise<string> {
  return (await execa('mtype', ['-i', `${disk}@@${espStart}`, `::${path}`])).stdout
}

/** Mounts the root of a raw disk, the default subvolume or the top level, for as long as the work takes. */
export async function withRoot<T>(
  disk: string,
  which: 'default' | 'top',
  work: (root: string) => Promise<T>,
): Promise<T> {
  const root = `${disk}.mounted`
  const partition = (await readTable(disk))[1]
  const range = [`--offset=${(partition?.start ?? 0) * 512}`, `--sizelimit=${(partition?.size ?? 0) * 512}`]
  const device = (await execa('losetup', ['--find', '--show', ...range, disk])).stdout
  await mkdir(root, { recursive: true })
  await execa('mount', [...(which === 'top' ? ['-o', 'subvolid=5'] : []), device, root])
  try {
    return await work(root)
  } finally {
    await execa('umount', [root])
    await execa('losetup', ['--detach', device])
  }
}

/** What an installer must not leave: mounts and loop devices whose paths name the folder. */
export async function leftovers(folder: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const loops = (await execa('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).stdout.split(
    '\n',
  )
  return [...mounts, ...loops].filter((line) => line.includes(folder))
}
