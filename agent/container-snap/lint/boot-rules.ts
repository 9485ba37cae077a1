import { parseKernelArguments } from '../boot/kernel-arguments.ts'
import { findKernel, kernelVersions } from '../boot/kernel.ts'
import { SnapError } from '../errors.ts'
import { programPath } from './programs.ts'
import type { Profile, Rule } from './rule.ts'
import { errorEverywhere, warningEverywhere } from './rule.ts'
import type { Tree } from './tree.ts'
import { readText } from './tree.ts'

/** Where the loader's file system is mounted. */
const loaderFolders: Readonly<Record<Profile, readonly string[]>> = {
  'systemd-boot': ['efi'],
  grub: ['boot'],
  'tukit-grub2': [],
}

/** What the machine needs to get from the loader to a mounted root. */
export const bootRules: readonly Rule[] = [
  {
    id: 'initrd',
    severity: { 'systemd-boot': 'error', grub: 'error' },
    description: 'the kernel and its initrd are files with content, the initrd beside it or in /boot',
    check: async (tree) => {
      // How many kernels there are is told by a rule of its own.
      if ((await kernelVersions(tree.root)).length !== 1) return []
      const messages = await refusal(findKernel(tree.root))
      return messages.map((message) => message.replace(`find the kernel of ${tree.root}: `, ''))
    },
  },
  {
    id: 'dracut',
    severity: { 'tukit-grub2': 'error' },
    description: 'dracut is installed: the initrd is made anew on the host',
    check: async (tree) =>
      (await programPath(tree, 'dracut')) === null
        ? ['no dracut; the initrd is made with it on the host, install it']
        : [],
  },
  {
    id: 'kernel-btrfs',
    severity: errorEverywhere,
    description: 'the kernel has btrfs, built in or as a module',
    check: async (tree) => {
      const found: string[] = []
      for (const version of await kernelVersions(tree.root)) {
        if ((await btrfsIn(tree, version)) !== null) continue
        found.push(
          `kernel ${version} has no btrfs in modules.builtin and none in modules.dep; its root is btrfs, take another kernel package`,
        )
      }
      return found
    },
  },
  {
    id: 'initrd-btrfs',
    severity: warningEverywhere,
    description: 'btrfs is built in, or the tools that make the initrd know it',
    check: async (tree) => {
      for (const version of await kernelVersions(tree.root)) {
        if ((await btrfsIn(tree, version)) === 'built-in') return []
      }
      if ((await tree.find('usr/share/initramfs-tools/hooks/btrfs'))?.kind === 'file') return []
      if ((await tree.find('usr/lib/initcpio/install/btrfs'))?.kind === 'file') return []
      const dracut = await tree.list('usr/lib/dracut/modules.d')
      if (dracut.some((name) => /^\d+btrfs$/.test(name))) return []
      return [
        'btrfs is no part of the kernel itself and nothing here puts it into the initrd; install btrfs-progs before the initrd is made',
      ]
    },
  },
  {
    id: 'kernel-arguments',
    severity: { 'systemd-boot': 'error', grub: 'error' },
    description: '/usr/lib/bootc/kargs.d/*.toml can be read',
    check: async (tree) => {
      const folder = 'usr/lib/bootc/kargs.d'
      const found: string[] = []
      for (const name of await tree.list(folder)) {
        if (!name.endsWith('.toml')) continue
        const text = (await readText(tree, `${folder}/${name}`)) ?? ''
        found.push(
          ...(await refusal(Promise.resolve().then(() => parseKernelArguments(text, `/${folder}/${name}`)))),
        )
      }
      return found
    },
  },
  {
    id: 'fstab',
    severity: errorEverywhere,
    description: '/etc/fstab is absent, empty or all comments: the machine has its own',
    check: async (tree) => {
      const lines = ((await readText(tree, 'etc/fstab')) ?? '').split('\n').map((line) => line.trim())
      const entries = lines.filter((line) => line !== '' && !line.startsWith('#'))
      if (entries.length === 0) return []
      return [`/etc/fstab mounts '${entries[0]}'; empty it, the installer writes the machine's own`]
    },
  },
  {
    id: 'directories',
    severity: errorEverywhere,
    description: '/dev /proc /sys /run /tmp /var /etc are there, with systemd-boot /efi too, with grub /boot',
    check: async (tree, profile) => {
      const needed = ['dev', 'proc', 'sys', 'run', 'tmp', 'var', 'etc']
      const missing = await missingFolders(tree, [...needed, ...loaderFolders[profile]])
      return missing.length === 0 ? [] : [`no folder ${missing.join(' ')}; mkdir in the image`]
    },
  },
  {
    id: 'mount-points',
    severity: warningEverywhere,
    description: 'what the host mounts has a folder to be mounted on: /home /root /srv /opt /usr/local',
    check: async (tree, profile) => {
      const needed = ['home', 'root', 'srv', 'opt', 'usr/local']
      const all = profile === 'tukit-grub2' ? [...needed, '.snapshots'] : needed
      const missing = await missingFolders(tree, all)
      return missing.length === 0
        ? []
        : [`no folder ${missing.join(' ')}; mkdir in the image, they are mounted there`]
    },
  },
]

/** The words in which a deploy of this image would be refused. */
async function refusal(attempt: Promise<unknown>): Promise<string[]> {
  try {
    await attempt
    return []
  } catch (error) {
    if (error instanceof SnapError && error.code === 'refused') return [error.message]
    throw error
  }
}

async function missingFolders(tree: Tree, paths: readonly string[]): Promise<string[]> {
  const missing: string[] = []
  for (const path of paths) {
    // A link into /var may lead nowhere until the machine's own /var is mounted.
    if ((await tree.linkTarget(path)) !== null) continue
    if ((await tree.find(path))?.kind !== 'directory') missing.push(`/${path}`)
  }
  return missing
}

async function btrfsIn(tree: Tree, version: string): Promise<'built-in' | 'module' | null> {
  const folder = `usr/lib/modules/${version}`
  const builtIn = (await readText(tree, `${folder}/modules.builtin`)) ?? ''
  if (/^kernel\/fs\/btrfs\/btrfs\.ko$/m.test(builtIn)) return 'built-in'
  const modules = (await readText(tree, `${folder}/modules.dep`)) ?? ''
  return /^kernel\/fs\/btrfs\/btrfs\.ko(\.\w+)?:/m.test(modules) ? 'module' : null
}
