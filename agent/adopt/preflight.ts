import { shownArgument } from '../../proto/shown-argument.ts'
import type { Facts, FolderFacts, LoaderFacts, RoomFacts } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { foreignMountPoints, isPersistent } from './fstab.ts'
import { keptOf, leftOf } from './kept.ts'
import { namesSubvolume, notForGrub, opensLuks, sortArguments } from './kernel-arguments.ts'
import { REFUSALS } from './refusals.ts'
import type { RefusalCode } from './refusals.ts'

export type Finding =
  | { readonly kind: 'ok'; readonly found: string }
  | { readonly kind: 'convert'; readonly found: string; readonly change: string }
  | {
      readonly kind: 'refuse'
      readonly code: RefusalCode
      readonly found: string
      readonly remedy: string
    }
  | { readonly kind: 'note'; readonly found: string; readonly meaning: string }

export type Preflight = {
  readonly image: string
  readonly fingerprint: string
  readonly findings: readonly Finding[]
  /** What the new root has of this machine, and what stays in the old one. */
  readonly kept: readonly string[]
  readonly left: readonly string[]
}

/** What an adoption would do, and why it cannot; the same of the same facts. */
export function preflight(facts: Facts): Preflight {
  const findings = [
    systemFindings(facts),
    rootFindings(facts),
    loaderFindings(facts),
    folderFindings(facts),
    storeFindings(facts),
    roomFindings(facts),
    otherFindings(facts),
  ].flat()
  return {
    image: facts.image.reference,
    fingerprint: fingerprintOf(facts),
    findings,
    kept: keptOf(facts),
    left: leftOf(facts),
  }
}

export function isRefused({ findings }: Preflight): boolean {
  return findings.some(({ kind }) => kind === 'refuse')
}

const ok = (found: string): Finding => ({ kind: 'ok', found })
const convert = (found: string, change: string): Finding => ({ kind: 'convert', found, change })
const note = (found: string, meaning: string): Finding => ({ kind: 'note', found, meaning })

function refuse(code: RefusalCode, detail = ''): Finding {
  const { found, remedy } = REFUSALS[code]
  return { kind: 'refuse', code, found: detail === '' ? found : `${found}: ${detail}`, remedy }
}

function when(condition: boolean, finding: () => Finding): readonly Finding[] {
  return condition ? [finding()] : []
}

function systemFindings({ system, firmware, adoption, missingPrograms, apart }: Facts): readonly Finding[] {
  return [
    ok(`${system}, started by ${firmware}`),
    ...when(adoption === 'begun', () => refuse('adoption-begun')),
    ...when(missingPrograms.length > 0, () => refuse('programs-missing', missingPrograms.join(', '))),
    ...when(apart.length > 0, () => refuse('part-of-root-apart', apart.join(', '))),
  ]
}

function rootFindings({ root, encrypted, kernelArguments }: Facts): readonly Finding[] {
  if (root.fileSystem !== 'btrfs') return [refuse('root-not-btrfs', root.fileSystem)]
  if (root.subvolume.includes('/container-snap/snapshots/btrfs/subvolumes/'))
    return [refuse('root-is-deployment')]
  const place = root.subvolume === '/' ? 'the top level of its btrfs' : `the subvolume ${root.subvolume}`
  const carried = sortArguments(kernelArguments)
  const words = (list: readonly string[]): string => list.map(shownArgument).join(' ')
  return [
    ok(`the root is ${place}`),
    namesSubvolume(kernelArguments)
      ? ok(
          'the kernel was told which subvolume its root is, so the old root can be booted whatever the default is',
        )
      : refuse('root-follows-default'),
    ...when(encrypted, () =>
      opensLuks(kernelArguments)
        ? ok('the root is encrypted (LUKS), and the kernel was told how to open it')
        : refuse('root-encrypted'),
    ),
    ...when(carried.own.length > 0, () =>
      convert(`kernel arguments of this machine: ${words(carried.own)}`, 'go into every boot entry'),
    ),
    ...when(carried.dropped.length > 0, () =>
      note(`other kernel arguments: ${words(carried.dropped)}`, 'not carried over: the image has its own'),
    ),
  ]
}

function loaderFindings({ loader, kernelArguments }: Facts): readonly Finding[] {
  switch (loader.kind) {
    case 'systemd-boot':
      return [
        ok(`systemd-boot, which reads ${loader.esp}`),
        ...when(loader.firmwareDefault, () => refuse('loader-default')),
        ...when(loader.before.length > 0, () => refuse('entry-first', loader.before.join(', '))),
        ...when(loader.default !== null, () =>
          convert(
            `${loader.esp}/loader/loader.conf has "default ${loader.default}"`,
            'the line is taken out: it would be booted even where it is known to be bad',
          ),
        ),
      ]
    case 'grub':
      return [
        grubFinding(loader),
        ...notForGrub(sortArguments(kernelArguments).own).map((word) => refuse('argument-for-grub', word)),
        ...when(!loader.readsCustom, () => refuse('grub-reads-nothing')),
      ]
    case 'other':
      return [refuse('loader-unknown')]
  }
}

function grubFinding({ config, boot, layer }: Extract<LoaderFacts, { kind: 'grub' }>): Finding {
  if (boot === null) return refuse('tries-without-place')
  if (layer !== null) return refuse('tries-behind-layer', `${boot} is on ${layer}`)
  return ok(`GRUB, configured in ${config}; tries are counted in ${boot}`)
}

/** Folders that get a subvolume of their own, with what is in them. */
export function foldersToConvert({ folders }: Pick<Facts, 'folders'>): readonly FolderFacts[] {
  return folders.filter(({ found }) => found === 'folder' || found === 'missing')
}

/** Without it there is no place for the store: another file system holds /var. */
export function needsStoreSubvolume({ folders }: Pick<Facts, 'folders'>): boolean {
  return folders.some(({ path, found }) => path === '/var' && found === 'elsewhere')
}

function folderFindings(facts: Facts): readonly Finding[] {
  const copied = foldersToConvert(facts).filter(({ found }) => found === 'folder')
  const inside = facts.nested.filter((path) =>
    copied.some((folder) => `/${path}`.startsWith(`${folder.path}/`) && !MADE_BY_SYSTEMD.has(path)),
  )
  return [
    ...facts.folders.map(folderFinding),
    ...when(needsStoreSubvolume(facts), () =>
      convert(
        'the file system of /var cannot hold the store',
        'a new subvolume @adopted-store is mounted at /var/lib/container-snap',
      ),
    ),
    ...when(inside.length > 0, () =>
      refuse('subvolumes-inside', inside.map((path) => `/${path}`).join(', ')),
    ),
    ...when(facts.taken.length > 0, () => refuse('subvolume-taken', facts.taken.join(', '))),
  ]
}

/** Nearly always empty, and as good as folders. */
const MADE_BY_SYSTEMD: ReadonlySet<string> = new Set(['var/lib/machines', 'var/lib/portables', 'var/tmp'])

function folderFinding({ path, found, subvolume }: FolderFacts): Finding {
  switch (found) {
    case 'mounted':
      return ok(`${path} is the subvolume ${subvolume ?? ''}, and stays so`)
    case 'elsewhere':
      return ok(`${path} is on a file system of its own, and stays so`)
    case 'nested':
      return convert(
        `${path} is the subvolume ${subvolume ?? ''}, which nothing mounts`,
        'the new root mounts it',
      )
    case 'folder':
      return convert(
        `${path} is a folder of the root`,
        `copied, sharing its blocks, into a new subvolume that the new root mounts; what changes in ${path} after that stays in the old root`,
      )
    case 'missing':
      return convert(`there is no ${path}`, 'a new, empty subvolume that the new root mounts')
    case 'link':
      return note(`${path} is a link`, 'what it leads to is kept only where that is kept')
  }
}

function storeFindings({ store, podman }: Facts): readonly Finding[] {
  return [
    ...when(store === 'there', () => refuse('store-there')),
    ...when(store === "podman's", () => refuse('store-shared')),
    ...when(podman !== null, () =>
      note(
        `podman has images and containers in ${podman?.place} (driver ${podman?.driver})`,
        isPersistent(podman?.place ?? '')
          ? 'left alone; they go on where the image has podman'
          : 'left alone, in the old root',
      ),
    ),
  ]
}

export function hasRoom({ freeBytes, neededBytes }: RoomFacts): boolean {
  return freeBytes >= neededBytes
}

function roomFindings({ room }: Facts): readonly Finding[] {
  const { disk, boot } = room
  const figures = ({ neededBytes, freeBytes }: RoomFacts): string =>
    `${mebibytes(neededBytes)} needed, ${mebibytes(freeBytes)} free`
  return [
    hasRoom(disk) ? ok('there is room for the image') : refuse('disk-full', figures(disk)),
    ...when(boot !== null && !hasRoom(boot), () => refuse('boot-full', boot === null ? '' : figures(boot))),
  ]
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`
}

function otherFindings(facts: Facts): readonly Finding[] {
  const foreign = foreignMountPoints(facts)
  return [
    ...when(facts.seLinux === 'enforcing', () => refuse('selinux-enforcing')),
    ...when(facts.seLinux === 'permissive', () =>
      note('SELinux is permissive', 'folders that are copied get no labels; the image must not enforce'),
    ),
    ...when(facts.snapper, () =>
      note(
        'snapper makes snapshots here',
        'its snapshots stay; the new root has it only where the image has',
      ),
    ),
    ...facts.updaters.map((unit) =>
      note(
        `${unit} is enabled`,
        'stop it until the reboot; the new root has it only where the image enables it',
      ),
    ),
    ...when(foreign.length > 0, () =>
      note(
        `/etc/fstab mounts ${foreign.join(', ')}`,
        'this image and every later one must have these folders',
      ),
    ),
  ]
}
