import { readsUsrEtcItself } from '../etc/usr-etc.ts'
import type { Rule } from './rule.ts'
import { errorEverywhere, warningEverywhere } from './rule.ts'
import type { Tree } from './tree.ts'
import { readText } from './tree.ts'

/** An image is many machines: it says what it is, and nothing about who runs it. */
export const identityRules: readonly Rule[] = [
  {
    id: 'os-release',
    severity: errorEverywhere,
    description: 'os-release has an ID',
    check: async (tree) => {
      const text = await osRelease(tree)
      if (text === null)
        return ['no text in /etc/os-release or /usr/lib/os-release; install base-files or the like']
      return hasField(text, 'ID') ? [] : ['os-release has no ID; add a line ID=…']
    },
  },
  {
    id: 'os-version',
    severity: warningEverywhere,
    description: 'os-release has a VERSION_ID',
    check: async (tree) => {
      const text = await osRelease(tree)
      if (text === null || hasField(text, 'VERSION_ID')) return []
      return [
        'os-release has no VERSION_ID (Debian testing has none); add one, or boot menus and reports show no version',
      ]
    },
  },
  {
    id: 'machine-id',
    severity: errorEverywhere,
    description: '/etc/machine-id is absent, empty or "uninitialized", and D-Bus has none of its own',
    check: async (tree) => {
      const id = ((await readText(tree, 'etc/machine-id')) ?? '').trim()
      const own = (await tree.linkTarget('var/lib/dbus/machine-id')) === null
      const dbus = own ? ((await readText(tree, 'var/lib/dbus/machine-id')) ?? '').trim() : ''
      return [
        ['', 'uninitialized'].includes(id)
          ? []
          : ['/etc/machine-id has an id, all machines would share it; empty the file as the last step'],
        dbus === ''
          ? []
          : [
              '/var/lib/dbus/machine-id has an id, all machines would share it; link it to /etc/machine-id or remove it',
            ],
      ].flat()
    },
  },
  {
    id: 'ssh-host-keys',
    severity: errorEverywhere,
    description: 'no ssh host key is in the image',
    check: async (tree) => {
      const keys = (await tree.list('etc/ssh')).filter((name) => /^ssh_host_.*_key$/.test(name))
      if (keys.length === 0) return []
      return [
        `/etc/ssh has ${keys.join(', ')}; remove them, or whoever has the image can pose as every machine`,
      ]
    },
  },
  {
    id: 'etc-usretc',
    severity: errorEverywhere,
    description: '/usr/etc has no content, but on openSUSE',
    check: async (tree) => {
      const [etc, usrEtc] = [await tree.list('etc'), await tree.list('usr/etc')]
      if (usrEtc.length === 0 || (await readsUsrEtcItself(tree.root))) return []
      const found = etc.length === 0 ? '/usr/etc has content' : 'both /etc and /usr/etc have content'
      return [`${found} (/usr/etc/${usrEtc[0]}); move it all to /etc, only that is merged`]
    },
  },
  {
    id: 'buildah-injected',
    severity: warningEverywhere,
    description: '/etc/hostname and /etc/resolv.conf are not the empty files that image builders leave',
    check: async (tree) => {
      const empty: string[] = []
      for (const path of ['etc/hostname', 'etc/resolv.conf']) {
        if ((await tree.linkTarget(path)) !== null) continue
        const found = await tree.find(path)
        if (found?.kind === 'file' && found.sizeBytes === 0) empty.push(`/${path}`)
      }
      if (empty.length === 0) return []
      return [`the image builder left ${empty.join(' and ')} empty; remove as the last step`]
    },
  },
]

async function osRelease(tree: Tree): Promise<string | null> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const text = await readText(tree, path)
    if (text !== null && text.trim() !== '') return text
  }
  return null
}

function hasField(text: string, name: string): boolean {
  return new RegExp(`^${name}=["']?[^"'\\s]`, 'm').test(text)
}
