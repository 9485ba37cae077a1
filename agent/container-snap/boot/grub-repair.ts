import { join } from 'node:path'
import { SnapError, oneLine } from '../errors.ts'
import { unfinishedSuffix } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import type { GrubEntry, GrubVerdict } from './grub-entry.ts'
import { entryText } from './grub-entry.ts'
import type { GrubFiles } from './grub-files.ts'
import { bootEntry, publish, readEnv, readGrubEntries } from './grub-files.ts'
import type { GrubEnv } from './grub-env.ts'
import { triesName } from './grub-env.ts'
import { kernelIsThere, removeUnusedKernels } from './kernel-files.ts'
import type { BootDeployment, KnownDeployment } from './loader.ts'
import { namesIn } from './names.ts'

export type GrubRepairTools = {
  /** Puts the kernel in place and says what the entry is; its activation is 0. */
  compose: (deployment: BootDeployment) => Promise<EntryText>
  /** Of a trial that must begin anew; null where GRUB cannot count. */
  tries: number | null
  /** Writes our block into custom.cfg; returns whether there was something to do. */
  hook: () => Promise<boolean>
  /** Refuses where nothing of ours may be written. */
  requirePlace: () => Promise<unknown>
}

/** Makes of the entries what the ledger knows, and one whole file of it; says what it did. */
export async function repairGrub(
  files: GrubFiles,
  known: readonly KnownDeployment[],
  tools: GrubRepairTools,
): Promise<readonly string[]> {
  const found = await readGrubEntries(files)
  // A machine that was never staged here has nothing to repair.
  if (!found.torn && found.entries.length === 0 && known.every(({ activation }) => activation === null))
    return []
  await tools.requirePlace()
  const env = await readEnv(files)
  const done = await removeUnfinished(files)
  const hashed = done.length > 0 || found.torn
  const repaired: Repaired = { entries: found.entries, counts: {}, done }
  for (const deployment of known) await repairDeployment(files, repaired, { deployment, env, hashed, tools })
  if (found.torn) repaired.done.push(`wrote ${files.entriesFile} anew: it was cut short or changed by hand`)
  const { entries, counts } = repaired
  const isWritten = await publish(files, { entries, counts })
  if (isWritten && repaired.done.length === 0) repaired.done.push('wrote what GRUB counts anew')
  if (entries.length > 0)
    await attempt(repaired.done, "the block in GRUB's custom.cfg", async () => {
      if (await tools.hook()) repaired.done.push("wrote the block in GRUB's custom.cfg anew")
    })
  const freedBytes = await removeUnusedKernels(files)
  if (freedBytes > 0) repaired.done.push(`removed kernels that no entry names: ${freedBytes} bytes`)
  return repaired.done
}

type Repaired = { entries: readonly GrubEntry[]; counts: Record<number, number>; done: string[] }

async function removeUnfinished(files: GrubFiles): Promise<string[]> {
  const ours = [files.entriesFile, files.envFile].map((file) => `${file}${unfinishedSuffix}`)
  const names = (await namesIn(files.kernels)).filter((name) => ours.includes(join(files.kernels, name)))
  for (const name of names) await files.disk.remove(join(files.kernels, name))
  if (names.length > 0) await files.disk.sync(files.kernels)
  return names.map((name) => `removed ${name}: its writing was interrupted`)
}

type Case = { deployment: KnownDeployment; env: GrubEnv | null; hashed: boolean; tools: GrubRepairTools }

async function repairDeployment(files: GrubFiles, repaired: Repaired, one: Case): Promise<void> {
  const { deployment, env, tools } = one
  const own = repaired.entries.filter(({ deploymentId }) => deploymentId === deployment.id)
  await attempt(repaired.done, `the entry of ${deployment.id}`, async () => {
    const best = own.find(({ kind }) => kind !== 'staged') ?? own[0] ?? null
    const verdict = wantedVerdict(best, one)
    const wanted = verdict === null ? [] : [{ ...(await wantedText(files, best, one)), ...verdict }]
    if (!isSame(own, wanted)) {
      const others = repaired.entries.filter(({ deploymentId }) => deploymentId !== deployment.id)
      repaired.entries = [...others, ...wanted]
      repaired.done.push(`wrote the entry of ${deployment.id} anew`)
    }
    const [entry] = wanted
    if (entry?.kind !== 'trial' || entry.tries === null || env?.[triesName(entry.activation)] !== undefined)
      return
    // A count that is lost: a try too many is worse than one too few, but what runs is not to be given up.
    repaired.counts[entry.activation] = deployment.current ? (tools.tries ?? entry.tries) : 0
    repaired.done.push(`began the count of ${deployment.id} anew: ${repaired.counts[entry.activation]} left`)
  })
}

function isSame(a: readonly GrubEntry[], b: readonly GrubEntry[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Null where there is nothing to be. Nothing but an activation makes bootable what neither runs nor is proven. */
function wantedVerdict(best: GrubEntry | null, { deployment, env, tools }: Case): GrubVerdict | null {
  const { activation, blessed, bad, current } = deployment
  if (best !== null && best.kind !== 'staged') {
    // One that used up its tries is out of the choice as it is.
    if (bad && bootEntry(best, env).kind !== 'bad')
      return { kind: 'bad', triesDone: bootEntry(best, env).triesDone }
    if (blessed && !bad && best.kind === 'trial') return { kind: 'good' }
    return verdictOf(best)
  }
  const staged: GrubVerdict = { kind: 'staged' }
  if (bad || activation === null) return best === null ? null : staged
  if (blessed) return { kind: 'good' }
  return current ? { kind: 'trial', tries: tools.tries } : staged
}

function verdictOf(entry: GrubEntry): GrubVerdict {
  switch (entry.kind) {
    case 'staged':
    case 'good':
      return { kind: entry.kind }
    case 'trial':
      return { kind: 'trial', tries: entry.tries }
    case 'bad':
      return { kind: 'bad', triesDone: entry.triesDone }
  }
}

/** The text that is there, unless its kernel is not. */
async function wantedText(
  files: GrubFiles,
  best: GrubEntry | null,
  { deployment, hashed, tools }: Case,
): Promise<EntryText> {
  const isStaged = best === null || best.kind === 'staged'
  const activation = isStaged ? (deployment.activation ?? 0) : best.activation
  if (best !== null && (await kernelIsThere(files, best, { root: deployment.root, hashed })))
    return { ...entryText(best), activation }
  const anew = await tools.compose(deployment)
  // The same kernel back in its place leaves the entry as it was.
  const isSameKernel = best !== null && best.linux === anew.linux && best.initrd === anew.initrd
  return { ...(isSameKernel ? entryText(best) : anew), activation }
}

/** What cannot be repaired is no reason to leave the others as they are. */
async function attempt(done: string[], what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (error instanceof SnapError && error.code === 'interrupted') throw error
    done.push(`could not repair ${what}: ${oneLine(error)}`)
  }
}
