import { expect, it } from 'vitest'
import { refusedKernelArgument, withoutRepeats } from './kernel-arguments.ts'

it.each([
  'quiet',
  'mitigations=off',
  'hugepages=64',
  'isolcpus=2-5,8',
  'console=ttyS0,115200n8',
  'systemd.log_level=debug',
  'intel_iommu=on',
  'pcie_aspm.policy=performance',
  'drm.edid_firmware=HDMI-A-1:edid/tv.bin',
])('lets git say %s', (argument) => {
  expect(refusedKernelArgument(argument)).toBeNull()
})

it.each([
  ['root=UUID=77', 'which root boots'],
  ['rootflags=subvol=@', 'which root boots'],
  ['init=/bin/sh', 'what starts instead of the image'],
  ['RdInit=/bin/sh', 'what starts instead of the image'],
  ['systemd.unit=rescue.target', 'what starts instead of the image'],
  ['systemd.mask=bootfleet-health.service', 'what starts instead of the image'],
  ['systemd.watchdog-sec=0', 'what starts instead of the image'],
  ['rd.systemd.unit=emergency.target', 'what starts instead of the image'],
  ['bootfleet.tries_left=3', 'what starts instead of the image'],
  ['emergency', 'what starts instead of the image'],
  ['rd.break=pre-mount', 'programs that no image brings'],
  ['sysctl.kernel.core-pattern=x', 'programs that no image brings'],
  ['dm-mod.create=x', 'programs that no image brings'],
  ['panic=0', 'would not come back by itself'],
  ['nowatchdog', 'would not come back by itself'],
  ['selinux=0', 'which is signed'],
  ['container-snap.writable', 'which is signed'],
  ['rd.luks.name=1f4a=root', 'machine.json'],
  ['two words', 'is not one kernel argument'],
  ['dyndbg="file a"', 'is not one kernel argument'],
  ['memmap=4G$1G', 'is not one kernel argument'],
  ['--', 'is not one kernel argument'],
  ['', 'is not one kernel argument'],
  [`x=${'y'.repeat(255)}`, 'longer than 256'],
])('does not let git say %s', (argument, why) => {
  expect(refusedKernelArgument(argument)).toContain(why)
})

it('keeps the last of the very same one, as the kernel does', () => {
  expect(withoutRepeats(['a=1', 'a=2', 'a=1'])).toEqual(['a=2', 'a=1'])
})
