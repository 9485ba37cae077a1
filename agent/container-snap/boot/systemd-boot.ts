import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import type { EntryOptions } from './entry-content.ts'
import { describeEntry } from './entry-content.ts'
import { countedFile, goodFile, stagedFile } from './entry-name.ts'
import type { EntryText } from './entry-text.ts'
import { renderEntry } from './entry-text.ts'
import type { EspDisk } from './esp-disk.ts'
import { openEspDisk } from './esp-disk.ts'
import type { EntryFile, Esp } from './esp.ts'
import { baseOf, entriesOf, openEsp, publishEntry, readEntryFiles, removeEntries, requireEsp } from './esp.ts'
import { kernelIsThere, placeKernel, removeUnusedKernels } from './kernel-files.ts'
import { findKernel } from './kernel.ts'
import type { ActivateOptions, BootDeployment, BootEntry, Loader } from './loader.ts'
import { repairEntries } from './systemd-boot-repair.ts'

export type SystemdBootOptions = EntryOptions & {
  /** Where the EFI system partition is mounted. */
  espDirectory: string
  /** Boots that an entry is given to prove itself. */
  tries: number
  /** Another than the real one only where a test cuts the power. */
  disk?: EspDisk
}

export function openSystemdBoot(context: Pick<Context, 'signal'>, options: SystemdBootOptions): Loader {
  const esp = openEsp(options.espDirectory, options.disk ?? openEspDisk(context))
  const compose = async (deployment: BootDeployment): Promise<EntryText> =>
    composeEntry(esp, options, deployment)
  return {
    kind: 'systemd-boot',
    commitPoint: 'entry',
    guard: async () => 'counted',
    stage: async (deployment) => {
      await requireEsp(esp)
      const text = renderEntry(await compose(deployment))
      const file = stagedFile(baseOf(await readEntryFiles(esp), deployment))
      await publishEntry(esp, file, text)
    },
    activate: async (deployment, how) => {
      await requireEsp(esp)
      const own = entriesOf(await readEntryFiles(esp), deployment)
      const text = (await usableText(esp, deployment, own)) ?? (await compose(deployment))
      await activateEntry(esp, deployment, { ...how, tries: options.tries, text })
    },
    markBad: async (deployment) => {
      await requireEsp(esp)
      await renameEntry(esp, deployment, 'bad')
    },
    bless: async (deployment) => {
      await requireEsp(esp)
      await renameEntry(esp, deployment, 'good')
    },
    keepOnly: async (deploymentIds) => {
      await requireEsp(esp)
      return keepOnly(esp, new Set(deploymentIds))
    },
    entries: async () => {
      await requireEsp(esp)
      return (await readEntryFiles(esp)).map(bootEntry)
    },
    repair: async (known) => {
      await requireEsp(esp)
      return repairEntries(esp, known, { compose, tries: options.tries })
    },
  }
}

/** Of activation 0, which no deployment has. */
async function composeEntry(esp: Esp, options: EntryOptions, deployment: BootDeployment): Promise<EntryText> {
  const described = await describeEntry(deployment, options)
  const kernel = await findKernel(deployment.root)
  await mkdir(esp.entries, { recursive: true })
  return { ...described, ...(await placeKernel(esp, kernel, `stage ${deployment.id}`)), activation: 0 }
}

/** The latest text there is, if what it boots is there: one that was booted is not to be made anew. */
async function usableText(
  esp: Esp,
  deployment: BootDeployment,
  own: readonly EntryFile[],
): Promise<EntryText | null> {
  const latest = own.toSorted((a, b) => rank(b) - rank(a)).find((one) => one.text !== null)?.text ?? null
  if (latest === null) return null
  return (await kernelIsThere(esp, latest, { root: deployment.root, hashed: false })) ? latest : null
}

function rank({ kind, text }: EntryFile): number {
  return kind === 'staged' ? Number.MAX_SAFE_INTEGER : (text?.activation ?? 0)
}

type Activation = ActivateOptions & { tries: number; text: EntryText }

/** The new entry is there before the old one of the same deployment goes; the others' are not touched. */
async function activateEntry(esp: Esp, deployment: BootDeployment, activation: Activation): Promise<void> {
  const { counted, tries } = activation
  const files = await readEntryFiles(esp)
  const base = baseOf(files, deployment)
  const text = renderEntry({ ...activation.text, activation: activation.activation })
  const file = counted ? countedFile(base, tries, 0) : goodFile(base)
  if (counted) {
    await publishEntry(esp, stagedFile(base), text)
    await esp.disk.rename(join(esp.entries, stagedFile(base)), join(esp.entries, file))
    await esp.disk.sync(esp.entries)
  } else {
    await publishEntry(esp, file, text)
  }
  await removeEntries(
    esp,
    entriesOf(await readEntryFiles(esp), deployment).filter((one) => one.file !== file),
  )
}

/** A name is all that assessment looks at. What is only staged has no verdict. */
async function renameEntry(esp: Esp, deployment: BootDeployment, verdict: 'good' | 'bad'): Promise<void> {
  const own = entriesOf(await readEntryFiles(esp), deployment).filter((one) => one.kind !== 'staged')
  const whole = own.filter((one) => one.text !== null).toSorted((a, b) => rank(b) - rank(a))
  const [latest] = whole
  if (latest === undefined) return
  const file = verdict === 'good' ? goodFile(latest.base) : countedFile(latest.base, 0, latest.triesDone ?? 0)
  if (latest.file !== file) {
    await esp.disk.rename(join(esp.entries, latest.file), join(esp.entries, file))
    await esp.disk.sync(esp.entries)
  }
  await removeEntries(
    esp,
    whole.filter((one) => one !== latest && one.file !== file),
  )
}

/** Entries first: one without its kernel would be a boot that fails. */
async function keepOnly(esp: Esp, deploymentIds: ReadonlySet<string>): Promise<number> {
  const files = await readEntryFiles(esp)
  const kept = files.filter((one) => one.text !== null && deploymentIds.has(one.text.deploymentId))
  const bases = new Set(kept.map((one) => one.base))
  // A torn one beside a whole one is left to repair, which knows which of them counts.
  const removed = files.filter((one) => (one.text === null ? !bases.has(one.base) : !kept.includes(one)))
  await removeEntries(esp, removed)
  const entryBytes = removed.reduce(
    (sum, one) => sum + (one.text === null ? 0 : renderEntry(one.text).length),
    0,
  )
  return entryBytes + (await removeUnusedKernels(esp))
}

function bootEntry({ file, kind, triesLeft, triesDone, text }: EntryFile): BootEntry {
  const activation = text?.activation ?? null
  return { deploymentId: text?.deploymentId ?? '', file, kind, triesLeft, triesDone, activation }
}
