import { lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SnapError } from '../errors.ts'
import { shownName } from '../trees/names.ts'
import { asSnapError, readComparable } from '../trees/read.ts'
import type { ReadOptions } from '../trees/tree.ts'
import { planAccounts } from './account-files.ts'
import { applySteps } from './apply.ts'
import { readNoMerge } from './no-merge.ts'
import type { EtcPlan } from './plan.ts'
import { planMerge } from './plan.ts'
import { readsUsrEtcItself } from './usr-etc.ts'

/** Absolute paths of three /etc trees. */
export type EtcRoots = {
  /** As the running deployment's image has it. */
  base: string
  /** As the running system has it. */
  local: string
  /** In the new deployment's work copy; changed in place. */
  next: string
}

export type EtcMerge = {
  /** Below /etc, sorted, fit to be shown: changed by the host and by the image; the host's was kept. */
  conflicts: readonly string[]
  /** How many changes of the host went into the new /etc. */
  carried: number
  /** Sockets, pipes and devices of the host, which stay behind. */
  skipped: readonly string[]
}

const attempt = 'merge /etc'

/**
 * Brings the host's changes into the /etc of a new image. Refuses, with nothing written, where a path is a folder on
 * one side and none on the other.
 */
export async function mergeEtc(roots: EtcRoots, { signal }: { signal: AbortSignal }): Promise<EtcMerge> {
  const options = { signal, attempt }
  return asSnapError(attempt, async () => {
    const plan = await planFor(roots, options)
    await applySteps(roots, plan.steps, options)
    return outcomeOf(plan)
  })
}

/** What `mergeEtc` would say; writes nothing. */
export async function previewEtc(roots: EtcRoots, { signal }: { signal: AbortSignal }): Promise<EtcMerge> {
  return asSnapError(attempt, async () => outcomeOf(await planFor(roots, { signal, attempt })))
}

async function planFor(roots: EtcRoots, options: ReadOptions): Promise<EtcPlan> {
  const { base, local, next } = roots
  const listings = await readComparable({ base, local, next }, options)
  const alwaysNew = await readNoMerge(dirname(next))
  const accounts = await planAccounts(listings, roots, alwaysNew)
  const plan = planMerge(listings, { alwaysNew, byLine: accounts.byLine })
  if (plan.unmergeable.length > 0) {
    const names = plan.unmergeable.map(shownName).join(', ')
    const found = 'a folder on the host and a file in the image, or the other way round'
    throw new SnapError('refused', `${attempt}: ${found}: ${names}; move the host's away and try again`)
  }
  return {
    ...plan,
    steps: [...plan.steps, ...accounts.steps],
    conflicts: [...plan.conflicts, ...accounts.conflicts].toSorted(),
    carried: plan.carried + accounts.carried,
  }
}

function outcomeOf({ conflicts, carried, skipped }: EtcPlan): EtcMerge {
  return { conflicts: conflicts.map(shownName), carried, skipped: skipped.map(shownName) }
}

/** Builders mount their own over these and leave them empty behind. */
const leftovers: readonly string[] = ['hostname', 'hosts', 'resolv.conf', 'mtab']

/** An image whose defaults lie in /usr/etc, or there and in /etc, has none that could be merged. */
export async function requireOneEtc(root: string): Promise<void> {
  if (!(await isFilled(join(root, 'usr/etc'))) || (await readsUsrEtcItself(root))) return
  const found = (await isFilled(join(root, 'etc')))
    ? 'it has both /etc and /usr/etc'
    : 'it has its /etc in /usr/etc'
  throw new SnapError('refused', `read the image's /etc: ${found}; move it all to /etc when building it`)
}

async function isFilled(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const { size } = await lstat(join(folder, name))
    if (!leftovers.includes(name) || size > 0) return true
  }
  return false
}
