import type { Rule } from './rule.ts'
import { errorEverywhere, warningEverywhere } from './rule.ts'
import type { Tree } from './tree.ts'

const shownMax = 5
/** Deeper than any package's own folders; a loop cannot arise, for links are not followed. */
const depthMax = 12

/** Files in places that belong to the machine: an update never reaches them. */
export const contentRules: readonly Rule[] = [
  {
    id: 'persistent-data',
    severity: errorEverywhere,
    description: "nothing but dotfiles in /home /root /srv /opt /usr/local: they are the machine's",
    check: async (tree) => {
      const found: string[] = []
      for (const path of ['home', 'root', 'srv', 'opt', 'usr/local']) {
        if ((await tree.linkTarget(path)) === null) await collect(tree, { path, skip: isSkeleton, found })
      }
      if (found.length === 0) return []
      return [`${shown(found)}: the machine mounts its own there and hides it; move it to /usr`]
    },
  },
  {
    id: 'var-content',
    severity: warningEverywhere,
    description: '/var has only what package managers and caches keep there',
    check: async (tree) => {
      const found: string[] = []
      await collect(tree, { path: 'var', skip: isExpectedInVar, found })
      if (found.length === 0) return []
      return [
        `${shown(found)}: /var is the machine's own, after the first install an image's files there are not seen; ` +
          'have tmpfiles.d or a service create them',
      ]
    },
  },
]

type Collection = { path: string; skip: (path: string) => boolean; found: string[] }

/** Files and links below a folder; empty folders do not count. */
async function collect(tree: Tree, { path, skip, found }: Collection, depth = 0): Promise<void> {
  for (const name of await tree.list(path)) {
    const inner = `${path}/${name}`
    if (skip(inner)) continue
    const isLink = (await tree.linkTarget(inner)) !== null
    const isFolder = !isLink && (await tree.find(inner))?.kind === 'directory'
    if (!isFolder) found.push(`/${inner}`)
    else if (depth < depthMax) await collect(tree, { path: inner, skip, found }, depth + 1)
  }
}

function shown(paths: readonly string[]): string {
  const more = paths.length - shownMax
  return `${paths.slice(0, shownMax).join(' ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Skeleton files of a home, caches of fontconfig and the like; and what Debian's base-files links. */
function isSkeleton(path: string): boolean {
  return (path.split('/').at(-1) ?? '').startsWith('.') || path === 'usr/local/man'
}

const expectedInVar = new Set([
  'var/adm',
  'var/backups',
  'var/cache',
  'var/lock',
  'var/log',
  'var/mail',
  'var/run',
  'var/spool/mail',
  'var/tmp',
  ...[
    'YaST2',
    'alternatives',
    'apt',
    'bootfleet',
    'ca-certificates',
    'container-snap',
    'dbus',
    'dhcpcd',
    'dnf',
    'dpkg',
    'ieee-data',
    'misc',
    'pacman',
    'pam',
    'polkit-1',
    'private',
    'python',
    'rpm',
    'selinux',
    'sgml-base',
    'shells.state',
    'sudo',
    'systemd',
    'ucf',
    'usbutils',
    'xml-core',
    'zypp',
  ].map((name) => `var/lib/${name}`),
])

function isExpectedInVar(path: string): boolean {
  return expectedInVar.has(path) || (path.split('/').at(-1) ?? '').startsWith('.')
}
