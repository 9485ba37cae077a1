import { kernelVersions } from '../boot/kernel.ts'
import { isFile, missingPrograms, programPath } from './programs.ts'
import type { Rule } from './rule.ts'
import { errorEverywhere, warningEverywhere } from './rule.ts'
import type { Tree } from './tree.ts'
import { enabledUnits } from './units.ts'

/** What the original asks of an image, and what follows from it here. */
export const requirements: readonly Rule[] = [
  {
    id: 'container-snap',
    severity: errorEverywhere,
    description: 'container-snap is a program at /usr/bin/container-snap',
    check: async (tree) => {
      const found = await tree.find('usr/bin/container-snap')
      if (found?.kind === 'file' && found.executable) return []
      return [
        `${found === null ? 'nothing' : 'no program'} at /usr/bin/container-snap; copy it there with mode 0755`,
      ]
    },
  },
  {
    id: 'container-snap-needs',
    severity: errorEverywhere,
    description: 'node, skopeo, btrfs, flock, unshare, setpriv and tar, which container-snap calls',
    check: async (tree) => {
      const names = ['node', 'skopeo', 'btrfs', 'flock', 'unshare', 'setpriv', 'tar']
      const missing = await missingPrograms(tree, names)
      if (missing.length === 0) return []
      return [
        `no ${missing.join(', ')} in /usr/bin or /usr/sbin; container-snap calls them, install their packages`,
      ]
    },
  },
  {
    id: 'snapper',
    severity: { 'systemd-boot': 'warning', grub: 'warning', 'tukit-grub2': 'error' },
    description: "snapper is not installed: tukit would use it in container-snap's place",
    check: async (tree) => {
      const path = await programPath(tree, 'snapper')
      return path === null
        ? []
        : [`/${path} is there; remove snapper, tukit and its timers would use it on the deployments`]
    },
  },
  {
    id: 'transactional-update',
    severity: { 'tukit-grub2': 'error' },
    description: 'transactional-update with tukit is installed',
    check: async (tree) => {
      if ((await programPath(tree, 'tukit')) !== null) return []
      return (await programPath(tree, 'transactional-update')) === null
        ? ['neither tukit nor transactional-update is there; install transactional-update']
        : ['transactional-update is there but not tukit, so it is older than 3.0; install a newer one']
    },
  },
  {
    id: 'tukit-backend',
    severity: { 'tukit-grub2': 'warning' },
    description: 'tukit knows container-snap, so that transactional-update itself works on the host',
    check: async (tree) => {
      const libraries = await tukitLibraries(tree)
      for (const path of libraries) {
        if ((await tree.bytes(path))?.includes('/usr/bin/container-snap') === true) return []
      }
      if (libraries.length === 0) return []
      const library = libraries[0]
      return [
        `/${library} does not name /usr/bin/container-snap; container-snap boots the image without it, but ` +
          'transactional-update needs a build with the container-snap backend (its pull request 137)',
      ]
    },
  },
  {
    id: 'kernel',
    severity: errorEverywhere,
    description: 'exactly one kernel: /usr/lib/modules/VERSION/vmlinuz or /boot/vmlinuz-VERSION',
    check: async (tree) => {
      const versions = await kernelVersions(tree.root)
      if (versions.length === 1) return []
      if (versions.length === 0) {
        return ['no kernel at /usr/lib/modules/VERSION/vmlinuz or /boot/vmlinuz-VERSION; install one']
      }
      return [`${versions.length} kernels (${versions.join(', ')}); remove all but the one to boot`]
    },
  },
  {
    id: 'systemd',
    severity: errorEverywhere,
    description: 'systemd is there, and is what /sbin/init starts',
    check: async (tree) => {
      if (!(await isFile(tree, 'usr/lib/systemd/systemd')))
        return ['no /usr/lib/systemd/systemd; install systemd']
      return (await isFile(tree, 'sbin/init'))
        ? []
        : ['no /sbin/init; link it to /usr/lib/systemd/systemd (Debian: install systemd-sysv)']
    },
  },
  {
    id: 'boot-loader',
    severity: { 'systemd-boot': 'error', 'tukit-grub2': 'error' },
    description: "systemd-boot's EFI program; with tukit-grub2, grub2-mkconfig and pbl",
    check: async (tree, profile) => {
      switch (profile) {
        case 'systemd-boot': {
          const names = await tree.list('usr/lib/systemd/boot/efi')
          return names.some((name) => /^systemd-boot.*\.efi$/.test(name))
            ? []
            : [
                'no /usr/lib/systemd/boot/efi/systemd-boot*.efi; install systemd-boot (Debian: systemd-boot-efi)',
              ]
        }
        // The machine has its own.
        case 'grub':
          return []
        case 'tukit-grub2': {
          const missing = await missingPrograms(tree, ['grub2-mkconfig', 'pbl'])
          return missing.length === 0
            ? []
            : [`no ${missing.join(', no ')}; install grub2 and update-bootloader`]
        }
      }
    },
  },
  {
    id: 'rsync',
    severity: { 'tukit-grub2': 'error' },
    description: 'rsync is installed: tukit calls it',
    check: async (tree) =>
      (await programPath(tree, 'rsync')) === null ? ['no rsync; tukit calls it, install it'] : [],
  },
  {
    id: 'network',
    severity: errorEverywhere,
    description: 'NetworkManager, systemd-networkd, wicked, ifupdown, dhcpcd or connman is installed',
    check: async (tree) => {
      for (const { path } of networkStacks) if (await isFile(tree, path)) return []
      const names = networkStacks.map((stack) => stack.name).join(', ')
      return [`none of ${names}; the host could not reach its controller, install one`]
    },
  },
  {
    id: 'network-enabled',
    severity: warningEverywhere,
    description: 'one of them is enabled',
    check: async (tree) => {
      const enabled = await enabledUnits(tree)
      const installed: string[] = []
      for (const { path, name, units } of networkStacks) {
        if (!(await isFile(tree, path))) continue
        if (units.some((unit) => enabled.has(unit))) return []
        installed.push(name)
      }
      if (installed.length === 0) return []
      return [`${installed.join(', ')} is there but not enabled; run systemctl enable in the image`]
    },
  },
]

const networkStacks = [
  { name: 'NetworkManager', path: 'usr/sbin/NetworkManager', units: ['NetworkManager.service'] },
  { name: 'NetworkManager', path: 'usr/bin/NetworkManager', units: ['NetworkManager.service'] },
  {
    name: 'systemd-networkd',
    path: 'usr/lib/systemd/systemd-networkd',
    units: ['systemd-networkd.service', 'systemd-networkd.socket'],
  },
  { name: 'wicked', path: 'usr/sbin/wickedd', units: ['wicked.service', 'wickedd.service'] },
  { name: 'ifupdown', path: 'usr/sbin/ifup', units: ['networking.service'] },
  { name: 'dhcpcd', path: 'usr/sbin/dhcpcd', units: ['dhcpcd.service'] },
  { name: 'connman', path: 'usr/sbin/connmand', units: ['connman.service'] },
] as const

async function tukitLibraries(tree: Tree): Promise<string[]> {
  const found: string[] = []
  for (const folder of ['usr/lib64', 'usr/lib']) {
    for (const name of await tree.list(folder)) {
      if (/^libtukit\.so(\.|$)/.test(name)) found.push(`${folder}/${name}`)
    }
  }
  return found
}
