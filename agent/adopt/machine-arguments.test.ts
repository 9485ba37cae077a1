import { expect, it } from 'vitest'
import { machineKernelArguments } from './machine-arguments.ts'

it.each([
  [
    'a Debian root on LUKS, opened by cryptsetup',
    'BOOT_IMAGE=/vmlinuz-6.12.48 root=/dev/mapper/vg-root ro cryptdevice=UUID=1f4a:cryptroot cryptopts=target=root,source=/dev/sda3 quiet splash',
    ['cryptdevice=UUID=1f4a:cryptroot', 'cryptopts=target=root,source=/dev/sda3'],
  ],
  [
    'a Fedora root on LUKS and LVM, opened by dracut',
    'BOOT_IMAGE=(hd0,gpt2)/vmlinuz root=UUID=77 rootflags=subvol=root ro rd.luks.uuid=luks-1f4a rd.luks.options=discard rd.lvm.lv=fedora/root rhgb quiet',
    ['rd.luks.uuid=luks-1f4a', 'rd.luks.options=discard', 'rd.lvm.lv=fedora/root'],
  ],
  [
    'consoles in their order, for the last one is /dev/console, and the memory of the crash kernel',
    'initrd=\\EFI\\initrd console=tty0 console=ttyS0,115200n8 crashkernel=256M-:128M console=tty0 panic=5',
    ['console=tty0', 'console=ttyS0,115200n8', 'crashkernel=256M-:128M'],
  ],
  [
    'a root that is reached over the network, and a slow disk',
    'root=UUID=77 ip=eth0:dhcp netroot=iscsi:@10.0.0.1::::iqn rd.neednet=1 rootdelay=10 usb-storage.quirks=0bda:u',
    [
      'ip=eth0:dhcp',
      'netroot=iscsi:@10.0.0.1::::iqn',
      'rd.neednet=1',
      'rootdelay=10',
      'usb-storage.quirks=0bda:u',
    ],
  ],
])('keeps of %s what is the machine’s', (_, cmdline, kept) => {
  expect(machineKernelArguments(`${cmdline}\n`)).toEqual(kept)
})

it('drops what names one root, one init or one boot', () => {
  const cmdline =
    'BOOT_IMAGE=/boot/vmlinuz root=UUID=77 rootflags=subvol=@ rootfstype=btrfs ro rw init=/bin/sh initrd=/i systemd.unit=rescue.target single emergency rd.break ostree=/ostree/boot.1 systemd.machine_id=f00d selinux=0 security=apparmor'
  expect(machineKernelArguments(cmdline)).toEqual([])
})

it('takes no word with a blank in quotes, and nothing that is meant for init', () => {
  expect(machineKernelArguments('video="HDMI A:d" console=ttyS0 -- console=ttyS1')).toEqual(['console=ttyS0'])
})

it('has nothing to say of an empty line', () => {
  expect(machineKernelArguments('\n')).toEqual([])
})
