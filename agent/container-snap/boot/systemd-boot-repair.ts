import { join } from 'node:path'
import { SnapError, oneLine } from '../errors.ts'
import { countedFile, goodFile, stagedFile, unfinishedSuffix } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import { renderEntry } from './entry-text.ts'
import type { EntryFile, Esp } from './esp.ts'
import { baseOf, entriesOf, publishEntry, readEntryFiles, removeEntries } from './esp.ts'
import { kernelIsThere, removeUnusedKernels } from './kernel-files.ts'
import type { BootDeployment, KnownDeployment } from './loader.ts'
import { namesIn } from './names.ts'

export type RepairTools = {
  /** Puts the kernel in place and says what the entry is; its activation is 0. */
  compose: (deployment: BootDeployment) => Promise<EntryText>
  tries: number
}

/** Leaves one whole entry per deployment that has one, by the ledger's word; says what it did. */
export async function repairEntries(
  esp: Esp,
  known: readonly KnownDeployment[],
  tools: RepairTools,
): Promise<readonly string[]> {
  const unfinished = await removeUnfinished(esp)
  const files = await readEntryFiles(esp)
  const suspicious = unfinished.length > 0 || files.some((one) => one.text === null) || hasTwins(files)
  const done = [...unfinished]
  for (const deployment of known) {
    done.push(...(await repairDeployment(esp, deployment, { ...tools, suspicious })))
  }
  done.push(...(await removeTorn(esp, known)))
  const freedBytes = await removeUnusedKernels(esp)
  return freedBytes === 0 ? done : [...done, `removed kernels that no entry names: ${freedBytes} bytes`]
}

async function removeUnfinished(esp: Esp): Promise<string[]> {
  const names = (await namesIn(esp.entries)).filter(
    (name) => name.startsWith('bootfleet-') && name.endsWith(unfinishedSuffix),
  )
  for (const name of names) await esp.disk.remove(join(esp.entries, name))
  if (names.length > 0) await esp.disk.sync(esp.entries)
  return names.map((name) => `removed ${name}: its writing was interrupted`)
}

function hasTwins(files: readonly EntryFile[]): boolean {
  const ids = files.map((one) => one.text?.deploymentId)
  return new Set(ids).size < ids.length
}

type Tools = RepairTools & { suspicious: boolean }

/** What cannot be repaired is no reason to leave the others as they are. */
async function repairDeployment(esp: Esp, deployment: KnownDeployment, tools: Tools): Promise<string[]> {
  try {
    return await repairOne(esp, deployment, tools)
  } catch (error) {
    if (error instanceof SnapError && error.code === 'interrupted') throw error
    return [`could not repair the entry of ${deployment.id}: ${oneLine(error)}`]
  }
}

async function repairOne(esp: Esp, deployment: KnownDeployment, tools: Tools): Promise<string[]> {
  const files = await readEntryFiles(esp)
  const own = entriesOf(files, deployment)
  const best = bestEntry(own, deployment)
  const file = wantedFile({ deployment, own, best, base: baseOf(files, deployment), tries: tools.tries })
  const done: string[] = []
  if (file !== null) {
    const text = await wantedText(esp, deployment, { best, tools })
    const isSame =
      best?.text !== null && best?.text !== undefined && renderEntry(best.text) === renderEntry(text)
    if (!isSame) {
      await publishEntry(esp, file, renderEntry(text))
      done.push(`wrote ${file} anew for ${deployment.id}`)
    } else if (best.file !== file) {
      await esp.disk.rename(join(esp.entries, best.file), join(esp.entries, file))
      await esp.disk.sync(esp.entries)
      done.push(`renamed ${best.file} to ${file}: so the ledger has ${deployment.id}`)
    }
  }
  const left = entriesOf(await readEntryFiles(esp), deployment)
  const removed = left.filter((one) => (file === null ? one.text === null : one.file !== file))
  await removeEntries(esp, removed)
  return [
    ...done,
    ...removed.map((one) => `removed ${one.file}: ${one.text === null ? 'torn' : 'a duplicate'}`),
  ]
}

/**
 * Of two, the later activation. Of two names of one activation the one with fewer tries left: the loader counts
 * by renaming, and a try too many is worse than one too few. A clean name counts only if the ledger knows of a
 * blessing, else the counted one would go bad in spite of it.
 */
function bestEntry(own: readonly EntryFile[], { blessed }: KnownDeployment): EntryFile | undefined {
  const whole = own.filter((one) => one.text !== null)
  const order = (one: EntryFile): readonly number[] => [
    one.kind === 'staged' ? 1 : 0,
    -(one.text?.activation ?? 0),
    (one.kind === 'good') === blessed ? 0 : 1,
    one.triesLeft ?? 0,
  ]
  return whole.toSorted((a, b) => compareLists(order(a), order(b)))[0]
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  return a.map((value, index) => value - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0
}

type Wanted = {
  deployment: KnownDeployment
  own: readonly EntryFile[]
  best: EntryFile | undefined
  base: string
  tries: number
}

/** Null where there is nothing to be. */
function wantedFile(wanted: Wanted): string | null {
  const { best, deployment, base } = wanted
  if (best === undefined || best.kind === 'staged') return fileWithoutBootable(wanted)
  if (deployment.bad && best.kind !== 'bad') return countedFile(base, 0, best.triesDone ?? 0)
  return deployment.blessed && best.kind === 'counted' ? goodFile(base) : best.file
}

/** Nothing but an activation makes bootable what is neither booted nor proven. */
function fileWithoutBootable({ deployment, own, best, base, tries }: Wanted): string | null {
  const { bad, blessed, current, activation } = deployment
  if (bad) return best?.file ?? null
  const torn = own.find((one) => one.text === null && one.kind !== 'staged')
  if (activation === null && torn === undefined) return own.length > 0 ? stagedFile(base) : null
  if (blessed) return goodFile(base)
  return current ? (torn?.file ?? countedFile(base, tries, 0)) : stagedFile(base)
}

/** The text that is there, unless its kernel is not. */
async function wantedText(
  esp: Esp,
  deployment: KnownDeployment,
  { best, tools }: { best: EntryFile | undefined; tools: Tools },
): Promise<EntryText> {
  const there = best?.text ?? null
  const activation =
    best?.kind === 'staged' ? (deployment.activation ?? 0) : (there?.activation ?? deployment.activation ?? 0)
  const how = { root: deployment.root, hashed: tools.suspicious }
  if (there !== null && (await kernelIsThere(esp, there, how))) return { ...there, activation }
  const anew = await tools.compose(deployment)
  // The same kernel back in its place leaves the entry as it was.
  const isSame = there?.linux === anew.linux && there.initrd === anew.initrd
  return { ...(isSame ? there : anew), activation }
}

/**
 * What nobody can write anew. A whole entry of a deployment that is not known stays: after the loss of the ledger it
 * may be the one that runs.
 */
async function removeTorn(esp: Esp, known: readonly KnownDeployment[]): Promise<string[]> {
  const files = await readEntryFiles(esp)
  const owned = new Set(known.flatMap((deployment) => entriesOf(files, deployment)))
  const torn = files.filter((one) => one.text === null && !owned.has(one))
  await removeEntries(esp, torn)
  return torn.map((one) => `removed ${one.file}: torn, and of no deployment that is known`)
}
