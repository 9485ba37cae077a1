/** What names hardware or opens disks is this machine's; all else is the image's affair. */
const OWN =
  /^(rd\.(luks|lvm|md|dm|multipath|iscsi|neednet|znet|dasd|driver)|luks\.|cryptdevice=|cryptkey=|console=|earlycon|earlyprintk|ip=|nameserver=|ifname=|bond=|vlan=|net\.ifnames=|biosdevname=|netroot=|nomodeset|iommu|intel_iommu=|amd_iommu=|mem=|memmap=|hugepages|default_hugepagesz=|isolcpus=|nohz_full=|pci=|acpi|noapic|nolapic|usbcore\.|usb-storage\.|cma=|modprobe\.blacklist=|video=|snd_)/

/** The rest that is no image's either: it is said anew in every boot entry. */
const ENTRYS = /^(BOOT_IMAGE=|initrd=|root=|rootflags=|rootfstype=|ro$|rw$)/

export type SortedArguments = { readonly own: readonly string[]; readonly dropped: readonly string[] }

export function sortArguments(words: readonly string[]): SortedArguments {
  return {
    own: words.filter((word) => OWN.test(word)),
    dropped: words.filter((word) => !OWN.test(word) && !ENTRYS.test(word)),
  }
}

export function namesSubvolume(words: readonly string[]): boolean {
  return words.some((word) => /^rootflags=(.*,)?subvol(id)?=/.test(word))
}

export function opensLuks(words: readonly string[]): boolean {
  return words.some((word) => /^((rd\.)?luks\.(uuid|name)=|cryptdevice=)/.test(word))
}
