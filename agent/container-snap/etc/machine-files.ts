import type { Entry } from '../trees/tree.ts'

export type MachineOutcome = 'local' | 'next' | 'none' | 'empty'
export type MachineRule = (found: {
  base: Entry | undefined
  local: Entry | undefined
  next: Entry | undefined
}) => MachineOutcome

/** What the machine has and no image can know: a copy from the image would be wrong or shared by the fleet. */
const onlyHosts: MachineRule = ({ local }) => (local === undefined ? 'none' : 'local')

/**
 * An empty machine-id is filled at boot without that being taken for a first boot; the word `uninitialized` would
 * apply presets again and undo what was enabled or disabled here.
 */
const machineId: MachineRule = ({ local }) => (local === undefined ? 'empty' : 'local')

/** Builders leave an empty file where they mounted their own: it is nobody's wish, on the host or in the image. */
const nameOrResolver: MachineRule = ({ base, local, next }) => {
  const isLeftover = isEmptyFile(local) && isEmptyFile(base)
  if (local !== undefined && !isLeftover) return 'local'
  return isEmptyFile(next) ? 'none' : 'next'
}

/** The host's wherever it has it; what only the image has comes in as usual. */
const hostsFirst: MachineRule = ({ base, local }) => {
  if (local !== undefined) return 'local'
  return base === undefined ? 'next' : 'none'
}

/** systemd's note that it updated this /etc: without it the units that wait for an update run at the next boot. */
const never: MachineRule = () => 'none'

function isEmptyFile(entry: Entry | undefined): boolean {
  return entry?.kind === 'file' && entry.sizeBytes === 0
}

const byPath: Readonly<Record<string, MachineRule>> = {
  '.updated': never,
  'machine-id': machineId,
  fstab: onlyHosts,
  // Which of its disks have a key, and where that is.
  crypttab: onlyHosts,
  'crypttab.initramfs': onlyHosts,
  adjtime: onlyHosts,
  hostname: nameOrResolver,
  'resolv.conf': nameOrResolver,
}

/** Null for all other files, which are merged. */
export function machineRule(path: string): MachineRule | null {
  if (Object.hasOwn(byPath, path)) return byPath[path] ?? null
  if (/^ssh\/ssh_host_[^/]*key[^/]*$/.test(path)) return onlyHosts
  if (/^(bootfleet|container-snap)(\/|$)/.test(path)) return hostsFirst
  return null
}
