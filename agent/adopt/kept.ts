import type { Facts } from './facts.ts'
import { droppedLines } from './fstab.ts'

/** What the new root has of this machine, for people. */
export function keptOf({ folders, people, hostKeys, network, fstab }: Facts): readonly string[] {
  const all = folders.filter(({ found }) => found !== 'link').map(({ path }) => path)
  const lines = fstab.length - droppedLines({ fstab }).length - fstab.filter(({ at }) => at === '/').length
  return [
    `folders: ${all.join(', ')}`,
    `/etc/fstab without the line of /: ${lines} line${lines === 1 ? '' : 's'}`,
    'machine-id, hostname, resolv.conf, crypttab, the configuration of bootfleet',
    ...(network.length === 0 ? [] : [`network configuration: ${network.join(', ')}`]),
    ...(hostKeys.length === 0 ? [] : [`ssh host keys: ${hostKeys.join(', ')}`]),
    `accounts: ${['root (password, keys)', ...people].join(', ')}`,
  ]
}

/** What it has not. */
export function leftOf(facts: Facts): readonly string[] {
  return [
    'all else in /etc (kept in /var/lib/bootfleet/adopted-etc; `adopt --list-etc` compares), all packages',
    ...droppedLines(facts).map(({ line, because }) => `the line of ${line.at} in /etc/fstab: ${because}`),
    ...facts.outside.map((path) => `${path}: it lies in the root; move it to /srv or /var before`),
  ]
}
