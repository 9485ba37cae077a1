import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const packageTree = join(import.meta.dirname, '../../../scripts/package-tree.sh')

const network = `[Match]
Name=en*
[Network]
DHCP=yes
`

/** Adds our programs and units, as every image gets them, and this system's own network to a Debian root. */
export async function hostFiles(target: string): Promise<void> {
  await promisify(execFile)(packageTree, [target, 'enabled'], { timeout: 60_000 })
  await writeFile(join(target, 'usr/lib/systemd/network/80-ethernet.network'), network)
}
