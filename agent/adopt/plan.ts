import { PERSISTENT, STORE } from './facts.ts'
import type { Facts, LoaderFacts } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { unlistedMounts } from './fstab.ts'
import type { Journal } from './journal.ts'
import { sortArguments } from './kernel-arguments.ts'
import { foldersToConvert, needsStoreSubvolume } from './preflight.ts'

export type Circumstances = Pick<Journal, 'startedAt' | 'hadFolder' | 'saved'>

const TRIES = 3

/** All that is to be done, from what was approved; null where no loader of ours fits. */
export function planAdoption(facts: Facts, circumstances: Circumstances): Journal | null {
  const loader = loaderOf(facts.loader)
  if (loader === null) return null
  const { root, folders } = facts
  const nameOf = (path: string): string => PERSISTENT.find((one) => one.path === path)?.name ?? ''
  const copies = foldersToConvert(facts).map(({ path, found }) => ({
    name: nameOf(path),
    at: path,
    copyOf: found === 'folder' ? path : null,
  }))
  const store = needsStoreSubvolume(facts) ? [{ name: STORE.name, at: STORE.path, copyOf: null }] : []
  return {
    version: 1,
    fingerprint: fingerprintOf(facts),
    image: facts.image.reference,
    root: { uuid: root.uuid, subvolume: root.subvolume, defaultId: root.defaultId },
    loader,
    kernelArguments: [...sortArguments(facts.kernelArguments).own],
    created: [...copies, ...store],
    mountings: [...unlistedMounts(facts)],
    varSubvolume: folders.find(({ path }) => path === '/var')?.subvolume ?? null,
    ...circumstances,
    imageId: null,
    deployment: null,
    generations: {},
    done: [],
    finishedAt: null,
  }
}

function loaderOf(loader: LoaderFacts): Journal['loader'] | null {
  switch (loader.kind) {
    case 'systemd-boot':
      return { kind: 'systemd-boot', esp: loader.esp, tries: TRIES }
    case 'grub':
      return loader.boot === null
        ? null
        : { kind: 'grub', boot: loader.boot, config: loader.config, tries: TRIES }
    case 'other':
      return null
  }
}
