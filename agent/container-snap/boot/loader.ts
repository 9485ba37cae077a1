/** What a boot loader must know of one deployment. */
export type BootDeployment = {
  /** `<imageId>-workN` */
  id: string
  imageId: string
  /** N of `-workN`. */
  number: number
  /** The deployment's root as seen from here. */
  root: string
  /** For `rootflags=subvol=`: the path from the top level of the file system, without a slash in front. */
  subvolume: string
  /** What a plan wants on its kernel's line; absent: nothing. */
  kernelArguments?: readonly string[]
}

/**
 * What the loader has of a deployment. `counted` is one on trial; `triesLeft` and `triesDone` are null where nothing
 * counts its boots.
 */
export type BootEntry = {
  deploymentId: string
  /** Its name for people: on the ESP a file's, in GRUB the id of its menu entry. */
  file: string
  kind: 'staged' | 'counted' | 'good' | 'bad'
  triesLeft: number | null
  triesDone: number | null
  /** Null where the entry cannot be read. */
  activation: number | null
}

export type ActivateOptions = {
  /** Grows with every activation on this host; decides the order of the entries. */
  activation: number
  /** False for a deployment that has proven itself: its entry gets no counter. */
  counted: boolean
}

export type KnownDeployment = BootDeployment & {
  /** Null while it was never activated. */
  activation: number | null
  blessed: boolean
  bad: boolean
  current: boolean
}

/**
 * A boot loader. Every method may be repeated after a crash at any point of it, and is durable when it
 * returns. Methods throw SnapError; nothing but `activate` changes what boots next.
 */
export type Loader = {
  kind: 'none' | 'systemd-boot' | 'grub' | 'tukit-grub2'
  /** What decides which deployment boots: the loader's own entries, or the btrfs default subvolume. */
  commitPoint: 'entry' | 'default'
  /**
   * Whether something before the kernel counts tries and falls back by itself; null where no boot of ours goes through
   * a loader.
   */
  guard: () => Promise<'counted' | 'uncounted' | null>
  /** Puts kernel and initrd in place and writes the entry under a name that the loader ignores. */
  stage: (deployment: BootDeployment) => Promise<void>
  /** The commit point, where the loader decides what boots. */
  activate: (deployment: BootDeployment, options: ActivateOptions) => Promise<void>
  /** Its entry is tried no more unless there is nothing else. */
  markBad: (deployment: BootDeployment) => Promise<void>
  /** Its entry loses its counter. */
  bless: (deployment: BootDeployment) => Promise<void>
  /** Removes the entries of all others, then the kernels that no entry refers to; returns the bytes freed. */
  keepOnly: (deploymentIds: readonly string[]) => Promise<number>
  entries: () => Promise<readonly BootEntry[]>
  /** Removes torn entries and duplicates, writes anew the ones that are missing; says what it did, a line each. */
  repair: (known: readonly KnownDeployment[]) => Promise<readonly string[]>
}

/** A machine whose btrfs default alone decides: a container host, a sysroot. */
export const noLoader: Loader = {
  kind: 'none',
  commitPoint: 'default',
  guard: async () => null,
  stage: async () => {},
  activate: async () => {},
  markBad: async () => {},
  bless: async () => {},
  keepOnly: async () => 0,
  entries: async () => [],
  repair: async () => [],
}
