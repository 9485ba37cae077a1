/** What of /etc goes into the first deployment as it is. */
export const NETWORK = [
  'NetworkManager',
  'systemd/network',
  'netplan',
  'network',
  'sysconfig/network',
  'sysconfig/network-scripts',
  'wicked',
] as const

export const HOST_KEY = /^ssh_host_[^/]*key[^/]*$/

/** fstab and the user databases go too, changed. */
export const MACHINE_FILES = [
  'machine-id',
  'hostname',
  'resolv.conf',
  'crypttab',
  'adjtime',
  'bootfleet',
] as const
