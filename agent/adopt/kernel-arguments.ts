import { machineKernelArguments } from './machine-arguments.ts'

/** Neither the machine's nor an image's: it is said anew in every boot entry. */
const ENTRYS = /^(BOOT_IMAGE=|initrd=|root=|rootflags=|rootfstype=|ro$|rw$)/

export type SortedArguments = { readonly own: readonly string[]; readonly dropped: readonly string[] }

export function sortArguments(words: readonly string[]): SortedArguments {
  const own = machineKernelArguments(words.join(' '))
  return { own, dropped: words.filter((word) => !own.includes(word) && !ENTRYS.test(word)) }
}

/** Those that GRUB would pass on changed, or not at all: container-snap writes no entry with them. */
export function notForGrub(words: readonly string[]): readonly string[] {
  return words.filter((word) => /['\\]/.test(word) || word.split('"').length % 2 === 0)
}

export function namesSubvolume(words: readonly string[]): boolean {
  return words.some((word) => /^rootflags=(.*,)?subvol(id)?=/.test(word))
}

export function opensLuks(words: readonly string[]): boolean {
  return words.some((word) => /^((rd\.)?luks\.(uuid|name)=|cryptdevice=)/.test(word))
}
