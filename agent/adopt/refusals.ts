/** Why a machine is not adopted, and what to do about it. docs/adopt.md has the same table. */
export const REFUSALS = {
  'adoption-begun': {
    found: 'an adoption is under way',
    remedy:
      'go on with it (`adopt --approve` with its fingerprint), take it back (`--undo`), or end it (`--finish`)',
  },
  'root-is-deployment': {
    found: 'the root is a deployment of container-snap',
    remedy: 'nothing is to be adopted; `bootfleet-agent status` says what runs',
  },
  'root-not-btrfs': {
    found: 'the root is not on btrfs',
    remedy:
      'install the machine anew from a disk image (`container-snap install to-disk`), or let it only report (`driver: report-only`)',
  },
  'root-follows-default': {
    found: 'the kernel was not told which subvolume its root is, so the old root would boot no more',
    remedy:
      'add `rootflags=subvol=PATH` to the kernel arguments (where the root is the top level: `rootflags=subvolid=5`), with GRUB in /etc/default/grub, else in /etc/kernel/cmdline; write the boot entries anew, and reboot',
  },
  'root-encrypted': {
    found: 'the root is encrypted and the kernel was not told how to open it',
    remedy:
      'add `rd.luks.name=UUID=NAME`, with the UUID that `cryptsetup luksUUID` says, to the kernel arguments, and reboot: the initrd of an image has no crypttab of this machine',
  },
  'part-of-root-apart': {
    found: 'a part of the root is a file system of its own',
    remedy: 'move it back into the root; an image brings /usr and /etc as one',
  },
  'loader-unknown': {
    found: 'there is neither systemd-boot nor GRUB',
    remedy: 'install one of them; on UEFI `bootctl install` does it',
  },
  'tries-without-place': {
    found: 'GRUB has no place where it can count tries, for it cannot write to btrfs',
    remedy:
      'give /boot an ext4 file system of its own, or on UEFI change to systemd-boot (`bootctl install`)',
  },
  'tries-behind-layer': {
    found:
      'GRUB has no place where it can count tries, for it can only read what lies on more than a plain disk',
    remedy:
      'give /boot an ext4 file system on a plain partition, or on UEFI change to systemd-boot (`bootctl install`)',
  },
  'argument-for-grub': {
    found: 'GRUB cannot pass on a kernel argument of this machine',
    remedy:
      'write it without backslash, single quote or a double quote that does not end, in /etc/default/grub; write grub.cfg anew, and reboot',
  },
  'grub-reads-nothing': {
    found: "GRUB's grub.cfg does not read custom.cfg, where the entries of deployments are named",
    remedy:
      'make /etc/grub.d/41_custom executable and write grub.cfg anew (`update-grub`, or `grub2-mkconfig -o` with its path)',
  },
  'loader-default': {
    found: 'the firmware holds a default entry, which would be booted even where it is known to be bad',
    remedy: "take it away: `bootctl set-default ''`",
  },
  'entry-first': {
    found: 'the loader has an entry that comes before those of deployments (`bootfleet`)',
    remedy: 'give the entry a `sort-key` that comes later in the alphabet',
  },
  'boot-full': {
    found: 'there is no room for another kernel and initrd where the loader reads them',
    remedy: 'remove old kernels, or make the partition bigger',
  },
  'disk-full': {
    found: 'there is no room for the image',
    remedy: 'free so much space; snapshots of snapper may hold most of it',
  },
  'subvolume-taken': {
    found: 'a subvolume that the adoption would make is there already',
    remedy: 'see what is in it, and rename it or delete it (`btrfs subvolume delete`)',
  },
  'subvolumes-inside': {
    found: 'a folder that would be copied has subvolumes in it, which would become plain folders',
    remedy:
      'mount a subvolume of your own there, with a line in /etc/fstab; storage of podman or docker with the btrfs driver can be removed and pulled again',
  },
  'store-there': {
    found: 'there is a store of container-snap in /var/lib/container-snap',
    remedy: 'move it away; `container-snap list-images` says what is in it',
  },
  'store-shared': {
    found: "podman's own storage is configured to be in /var/lib/container-snap",
    remedy: 'give it another `graphroot` in /etc/containers/storage.conf',
  },
  'selinux-enforcing': {
    found: 'SELinux is enforcing, and what the adoption copies and makes gets no labels',
    remedy: 'set SELINUX=permissive in /etc/selinux/config, here and in the image, and reboot',
  },
  'programs-missing': {
    found: 'a program is missing that the adoption needs',
    remedy: 'install it',
  },
} as const satisfies Record<string, { readonly found: string; readonly remedy: string }>

export type RefusalCode = keyof typeof REFUSALS
