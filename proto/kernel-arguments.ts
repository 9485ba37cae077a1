/**
 * What git, and so a plan, may put on a host's kernel line. Whoever can push to git must not become root by it, nor
 * take a host its way back: an image is signed by others, and its trial is judged by what it starts.
 */
export const KERNEL_ARGUMENTS_MAX = 32
export const KERNEL_ARGUMENT_MAX_LENGTH = 256
/** Of all of a host's, with a blank between two: with everything else at its largest a plan must still be signed. */
export const KERNEL_ARGUMENTS_MAX_BYTES = 4 * 1024

/** No quotes, blanks, dollars or backslashes: a line goes through boot loaders that have a meaning for them. */
const FORM = /^[A-Za-z0-9][A-Za-z0-9_.-]*(?:=[A-Za-z0-9_.,:@%+/~=-]*)?$/

type Rule = { readonly names: readonly string[]; readonly why: string }

/** A name that ends in a dot is a family. `-` and `_` are the same to the kernel. */
const REFUSED: readonly Rule[] = [
  {
    names: ['root', 'rootflags', 'rootfstype', 'ro', 'rw', 'nfsroot', 'netroot', 'ostree', 'mount.usr'],
    why: 'which root boots is what bootfleet decides',
  },
  { names: ['mount.usrflags', 'mount.usrfstype', 'initrd', 'noinitrd'], why: 'it is part of the deployment' },
  {
    names: [
      'init',
      'rdinit',
      'single',
      'emergency',
      'rescue',
      's',
      '1',
      '2',
      '3',
      '4',
      '5',
      'systemd.',
      'rd.systemd.',
      'bootfleet.',
    ],
    why: 'it decides what starts instead of the image, and whether the trial of an image is judged',
  },
  {
    names: ['rd.break', 'rd.shell', 'rd.cmdline', 'sysctl.', 'dm_mod.create', 'cryptopts', 'usermodehelper'],
    why: 'it can run programs that no image brings',
  },
  {
    names: [
      'panic',
      'nowatchdog',
      'nmi_watchdog',
      'softlockup_panic',
      'hung_task_panic',
      'watchdog',
      'reboot',
    ],
    why: 'a host that hangs would not come back by itself',
  },
  {
    names: [
      'selinux',
      'enforcing',
      'apparmor',
      'security',
      'lsm',
      'lockdown',
      'module.sig_enforce',
      'ima_appraise',
      'container_snap.writable',
    ],
    why: 'how a system is protected belongs to the image, which is signed: /usr/lib/bootc/kargs.d in it',
  },
  {
    names: ['luks.', 'rd.luks.', 'cryptdevice', 'cryptroot', 'cryptkey', 'crashkernel'],
    why: 'it belongs to the machine: kernelArguments in /var/lib/container-snap/machine.json',
  },
]

/** What says how much is told, and nothing else. */
const ALLOWED: readonly string[] = [
  'systemd.log_level',
  'systemd.log_target',
  'systemd.show_status',
  'systemd.status_unit_format',
]

/** Why an argument may not come from git; null: it may. */
export function refusedKernelArgument(argument: string): string | null {
  if (argument.length > KERNEL_ARGUMENT_MAX_LENGTH)
    return `is longer than ${KERNEL_ARGUMENT_MAX_LENGTH} characters`
  if (!FORM.test(argument)) {
    return 'is not one kernel argument (NAME or NAME=VALUE of letters, digits and _ . , : @ % + / ~ = -)'
  }
  const name = (argument.split('=', 1)[0] as string).replaceAll('-', '_').toLowerCase()
  if (ALLOWED.includes(name)) return null
  const rule = REFUSED.find(({ names }) => names.some((one) => isNamed(name, one)))
  return rule === undefined ? null : `may not be set here: ${rule.why}`
}

function isNamed(name: string, one: string): boolean {
  return one.endsWith('.') ? name.startsWith(one) : name === one
}

/** In their order, which the kernel keeps to; of the very same one the last stays, as where a line is written. */
export function withoutRepeats(argumentsOfHost: readonly string[]): readonly string[] {
  return argumentsOfHost.filter((argument, at) => !argumentsOfHost.includes(argument, at + 1))
}
