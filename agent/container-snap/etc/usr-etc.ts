import { readFile } from 'node:fs/promises'
import { resolveInside } from '../boot/inside-root.ts'

/**
 * Whether this system's programs look into /usr/etc themselves, as openSUSE's do: there it is part of /usr, and /etc
 * alone is what is merged. Elsewhere /usr/etc is where ostree keeps a pristine /etc.
 */
export async function readsUsrEtcItself(root: string): Promise<boolean> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const file = await resolveInside(root, path)
    const text = file === null ? '' : await readFile(file, 'utf8')
    if (/^ID(_LIKE)?=.*suse/m.test(text)) return true
  }
  return false
}
