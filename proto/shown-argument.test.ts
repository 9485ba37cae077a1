import { expect, it } from 'vitest'
import { shownArgument } from './shown-argument.ts'

it.each([
  ['rd.iscsi.password=s3cret', 'rd.iscsi.password=…'],
  ['rd.iscsi.in.passwd="a=b"', 'rd.iscsi.in.passwd=…'],
  ['systemd.set_credential.SECRET=a', 'systemd.set_credential.SECRET=…'],
  ['rd.luks.key=/keyfile:UUID=1', 'rd.luks.key=…'],
  ['netroot=iscsi:user:s3cret@10.0.0.1::::iqn', 'netroot=iscsi:…@10.0.0.1::::iqn'],
  ['netroot=iscsi:user:s3:cr@t:in:out@10.0.0.1::::iqn', 'netroot=iscsi:…@10.0.0.1::::iqn'],
  ['netroot=nbd://kim:s3cret@host/root', 'netroot=nbd://…@host/root'],
])('%s is shown without its secret', (argument, shown) => {
  expect(shownArgument(argument)).toBe(shown)
})

it.each([
  'vconsole.keymap=de',
  'rd.vconsole.keyboard=de',
  'quiet',
  'password',
  'netroot=iscsi:@10.0.0.1::::iqn',
  'netroot=iscsi:10.0.0.1::::iqn',
  'root=UUID=1f4a',
  'crashkernel=512M-2G:64M,2G-:128M@16M',
  'rootflags=subvol=@rootfs',
  'console=ttyS0,115200n8',
  'cryptdevice=UUID=1f4a:cryptroot',
])('%s is shown as it is', (argument) => {
  expect(shownArgument(argument)).toBe(argument)
})
