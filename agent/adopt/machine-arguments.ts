/**
 * The arguments of a running kernel that are its machine's and no image's: without them this hardware does not find
 * its root, open its disks or show a console. What an image says of itself (`quiet`, `security=`) is left out, for
 * the next image says it anew, and so is what names one deployment's root.
 */
export function machineKernelArguments(cmdline: string): readonly string[] {
  const kept = kernelWords(cmdline).filter((word) => /^[\x21-\x7e]+$/.test(word) && isMachines(nameOf(word)))
  return [...new Set(kept)]
}

/** The kernel takes `-` and `_` for the same in a name. */
function nameOf(word: string): string {
  return (word.split('=', 1)[0] ?? '').replaceAll('-', '_')
}

/** Words as the kernel divides them: quotes keep blanks, and what follows `--` is for init. */
function kernelWords(cmdline: string): readonly string[] {
  const words: readonly string[] = cmdline.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []
  const end = words.indexOf('--')
  return end === -1 ? words : words.slice(0, end)
}

/** The way to the root, and to what it lies on. */
const storage =
  'rootdelay rootwait netroot ip ifname bond bridge vlan nameserver bootdev biosdevname net.ifnames ' +
  'iscsi_firmware iscsi_initiator ' +
  'rd.iscsi rd.neednet rd.auto rd.timeout rd.retry dolvm domdadm dmraid zfcp.allow_lun_scan ' +
  'resume resume_offset noresume'
/** Disks that have a key: systemd's, dracut's, Debian's and Arch's words for it. */
const keys = 'luks cryptdevice cryptroot cryptopts cryptkey root_trim crypto'
/** Where it is looked at, and what is left of a crash. */
const consoles =
  'console earlycon earlyprintk consoleblank fbcon video vconsole.keymap crashkernel fadump pstore.backend'
/** What this hardware does not start without. */
const hardware =
  'nomodeset acpi noapic nolapic pci pcie_aspm reboot clocksource tsc iommu intel_iommu amd_iommu mem memmap ' +
  'maxcpus nr_cpus isolcpus nohz_full hugepages hugepagesz default_hugepagesz cma modprobe.blacklist'

const names: ReadonlySet<string> = new Set([storage, keys, consoles, hardware].join(' ').split(' '))

const families = [
  /^(rd\.)?luks\./,
  /^rd\.(lvm|md|dm|multipath|iscsi|nvmf|fcoe|zfcp|dasd|znet|route|net|bootif)(\.|$)/,
  /^rd\.(driver|vconsole)\./,
  /^(nvme|nvme_core|usb_storage|usbcore|libata|ahci|mpt3sas|megaraid_sas|i915|amdgpu|nouveau|snd_[a-z_]+)\./,
]

function isMachines(name: string): boolean {
  return names.has(name) || families.some((family) => family.test(name))
}
