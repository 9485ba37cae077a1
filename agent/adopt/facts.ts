/** What is seen of a machine that was not built for bootfleet. Lists are sorted, so that the same is the same. */
export type Facts = {
  readonly image: {
    /** With its digest. */
    readonly reference: string
    readonly digest: string
    /** Of its compressed layers. */
    readonly bytes: number
  }
  readonly system: string
  readonly firmware: 'UEFI' | 'BIOS'
  readonly loader: LoaderFacts
  /** As the kernel was started with. */
  readonly kernelArguments: readonly string[]
  readonly root: RootFacts
  readonly folders: readonly FolderFacts[]
  /** File systems of their own where the root must be whole: /usr, /etc. */
  readonly apart: readonly string[]
  readonly fstab: readonly FstabLine[]
  /** Subvolumes inside the root's own, by their path below it. */
  readonly nested: readonly string[]
  /** Subvolumes whose names the adoption wants. */
  readonly taken: readonly string[]
  readonly store: 'none' | 'there' | "podman's"
  readonly podman: { readonly place: string; readonly driver: string } | null
  readonly adoption: 'none' | 'begun'
  readonly seLinux: 'none' | 'permissive' | 'enforcing'
  readonly encrypted: boolean
  readonly snapper: boolean
  /** Units of other updaters that are enabled. */
  readonly updaters: readonly string[]
  /** What lies in the root itself, where no folder is kept. */
  readonly outside: readonly string[]
  readonly people: readonly string[]
  readonly hostKeys: readonly string[]
  readonly network: readonly string[]
  readonly missingPrograms: readonly string[]
  readonly room: {
    readonly disk: RoomFacts
    /** Where kernels go; null without such a place. */
    readonly boot: RoomFacts | null
  }
}

/** Figures change all the time: in the fingerprint only what they mean counts. */
export type RoomFacts = { readonly freeBytes: number; readonly neededBytes: number }

export type LoaderFacts =
  | {
      readonly kind: 'systemd-boot'
      /** Where the EFI system partition is mounted. */
      readonly esp: string
      /** `default` of loader.conf. */
      readonly default: string | null
      /** Whether the firmware holds a default, which comes before loader.conf's. */
      readonly firmwareDefault: boolean
      /** Sort keys of entries that would be chosen before ours. */
      readonly before: readonly string[]
    }
  | {
      readonly kind: 'grub'
      /** The folder of its grub.cfg. */
      readonly config: string
      /** A file system that GRUB can write to; null where there is none. */
      readonly boot: string | null
      /** What that one lies on and GRUB can only read through; null where it is a plain disk. */
      readonly layer: string | null
      /** Whether its grub.cfg reads custom.cfg. */
      readonly readsCustom: boolean
    }
  | { readonly kind: 'other' }

export type RootFacts = {
  readonly fileSystem: string
  readonly uuid: string
  /** Path from the top level, with a slash in front; `/` is the top level itself. */
  readonly subvolume: string
  readonly subvolumeId: number
  readonly defaultId: number
}

/** `mounted`: a subvolume of the root's file system; `elsewhere`: of another one; `nested`: one that nobody mounts. */
export type FolderFacts = {
  readonly path: string
  readonly found: 'mounted' | 'elsewhere' | 'nested' | 'folder' | 'link' | 'missing'
  /** Path from the top level, of the first and the third kind. */
  readonly subvolume: string | null
}

export type FstabLine = {
  readonly device: string
  readonly at: string
  readonly type: string
  readonly options: string
}

/** What stays when the root changes, and what a subvolume made for it is called. */
export const PERSISTENT = [
  { path: '/var', name: '@adopted-var' },
  { path: '/home', name: '@adopted-home' },
  { path: '/root', name: '@adopted-root' },
  { path: '/srv', name: '@adopted-srv' },
  { path: '/opt', name: '@adopted-opt' },
  { path: '/usr/local', name: '@adopted-usr-local' },
] as const

/**
 * For a machine whose /var is on another file system, which cannot hold the store. In a folder, so that its path ends
 * like that of every store: by it units tell a deployment.
 */
export const STORE = { path: '/var/lib/container-snap', name: '@adopted-store/container-snap' } as const

export const SUBVOLUME_NAMES: readonly string[] = [...PERSISTENT, STORE].map(({ name }) => name)
