import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'
import type { EntryOptions } from './entry-content.ts'
import { describeEntry } from './entry-content.ts'
import type { EntryText } from './entry-text.ts'
import type { EspDisk } from './esp-disk.ts'
import { openGrubDisk } from './grub-disk.ts'
import { renderEntries } from './grub-entries.ts'
import type { GrubEntry } from './grub-entry.ts'
import { entryText } from './grub-entry.ts'
import type { GrubFiles } from './grub-files.ts'
import { bootEntry, openGrubFiles, publish, readEnv, readGrubEntries, requireWhole } from './grub-files.ts'
import { requireHookRead, writeHook } from './grub-hook.ts'
import type { GrubPlace } from './grub-place.ts'
import { inspectGrubPlace } from './grub-place.ts'
import { repairGrub } from './grub-repair.ts'
import { kernelWords } from './grub-script.ts'
import { kernelIsThere, placeKernel, removeUnusedKernels } from './kernel-files.ts'
import { findKernel } from './kernel.ts'
import type { BootDeployment, Loader } from './loader.ts'

export type GrubOptions = EntryOptions & {
  /** A folder on a file system that GRUB reads and, to count tries, writes. */
  bootDirectory: string
  /** The folder of the machine's grub.cfg. */
  configDirectory: string
  /** Boots that an entry is given to prove itself. */
  tries: number
  /** Go on where GRUB cannot count: then nothing falls back by itself. */
  unguarded: boolean
  /** Of the file system of `bootDirectory`; without it, as findmnt knows it. */
  bootUuid?: string
  /** Another than the real one only where a test cuts the power. */
  disk?: EspDisk
  /** What GRUB finds at the folder; another than the real thing only in tests. */
  inspect?: (directory: string) => Promise<GrubPlace>
}

type Grub = { options: GrubOptions; context: Pick<Context, 'signal'>; files: GrubFiles }

/** The machine's own GRUB, UEFI or BIOS, with entries of ours in its menu and a count of tries that it keeps itself. */
export function openGrub(context: Pick<Context, 'signal'>, options: GrubOptions): Loader {
  const files = openGrubFiles(options.bootDirectory, options.disk ?? openGrubDisk(context))
  const grub: Grub = { options, context, files }
  const compose = async (deployment: BootDeployment): Promise<EntryText> => composeEntry(grub, deployment)
  return {
    kind: 'grub',
    commitPoint: 'entry',
    guard: async () => ((await inspect(grub)).unwritable === null ? 'counted' : 'uncounted'),
    stage: async (deployment) => {
      const place = await requireCountable(grub)
      await requireHookRead(options.configDirectory)
      const entries = await requireWhole(files)
      const text = await compose(deployment)
      await hookIn(grub, place)
      const others = entries.filter((one) => one.deploymentId !== deployment.id || one.kind !== 'staged')
      await publish(files, { entries: [...others, { ...text, kind: 'staged' }] })
    },
    activate: async (deployment, how) => {
      const place = await requireCountable(grub)
      await requireHookRead(options.configDirectory)
      const entries = await requireWhole(files)
      const text = (await usableText(files, deployment, entries)) ?? (await compose(deployment))
      await hookIn(grub, place)
      await activateEntry(
        files,
        { ...text, activation: how.activation },
        how.counted ? trialOf(options, place) : null,
      )
    },
    markBad: async (deployment) => judge(files, deployment, 'bad'),
    bless: async (deployment) => judge(files, deployment, 'good'),
    keepOnly: async (deploymentIds) => keepOnly(files, new Set(deploymentIds)),
    entries: async () => {
      await inspect(grub)
      const [{ entries }, env] = [await readGrubEntries(files), await readEnv(files)]
      return entries.map((entry) => bootEntry(entry, env))
    },
    repair: async (known) => {
      const place = await inspect(grub)
      const hook = async (): Promise<boolean> => {
        await requireHookRead(options.configDirectory)
        return hookIn(grub, place)
      }
      const { tries } = trialOf(options, place)
      return repairGrub(files, known, {
        compose,
        tries,
        hook,
        requirePlace: async () => requireCountable(grub),
      })
    },
  }
}

async function inspect({ options }: Grub): Promise<GrubPlace> {
  return (options.inspect ?? inspectGrubPlace)(options.bootDirectory)
}

async function requireCountable(grub: Grub): Promise<GrubPlace> {
  const place = await inspect(grub)
  const { unguarded, bootDirectory } = grub.options
  if (place.unwritable === null || unguarded) return place
  throw new SnapError(
    'refused',
    `count tries in ${bootDirectory}: no automatic fallback: ${place.unwritable}. Mount a file system there that GRUB ` +
      'can write (ext4, XFS, or the ESP, on a plain partition), name one in machine.json, loader.boot, or allow an ' +
      'unguarded boot with "unguarded": true there',
  )
}

/** Of activation 0, which no deployment has. */
async function composeEntry({ options, files }: Grub, deployment: BootDeployment): Promise<EntryText> {
  const described = await describeEntry(deployment, options)
  kernelWords(described.options)
  const kernel = await findKernel(deployment.root)
  const paths = await placeKernel(files, kernel, `stage ${deployment.id}`)
  return entryText({ ...described, ...paths, activation: 0 })
}

async function hookIn({ options, context, files }: Grub, place: GrubPlace): Promise<boolean> {
  const { configDirectory: directory, bootDirectory } = options
  const uuid = options.bootUuid ?? (await bootUuid(context, bootDirectory))
  return writeHook({ directory, place, uuid, disk: files.disk })
}

async function bootUuid({ signal }: Pick<Context, 'signal'>, directory: string): Promise<string> {
  const attempt = `read the file system UUID of ${directory}`
  const command = ['findmnt', '--noheadings', '--output', 'UUID', '--target', directory] as const
  const uuid = (await run(command, { signal, attempt })).trim().split('\n').at(-1) ?? ''
  if (/^[0-9A-Fa-f-]{9,36}$/.test(uuid)) return uuid
  throw new SnapError('storage-failed', `${attempt}: findmnt says ${JSON.stringify(uuid)}`)
}

type Trial = { kind: 'trial'; tries: number | null }

function trialOf({ tries }: GrubOptions, { unwritable }: GrubPlace): Trial {
  return { kind: 'trial', tries: unwritable === null ? tries : null }
}

/** The latest text there is, if what it boots is there: one that was booted is not to be made anew. */
async function usableText(
  files: GrubFiles,
  { id, root }: BootDeployment,
  entries: readonly GrubEntry[],
): Promise<EntryText | null> {
  const own = entries.filter(({ deploymentId }) => deploymentId === id)
  const latest = own.find(({ kind }) => kind === 'staged') ?? own[0] ?? null
  if (latest === null) return null
  return (await kernelIsThere(files, latest, { root, hashed: false })) ? latest : null
}

/** The name of the new file of entries is the commit point; what was there of the deployment goes with it. */
async function activateEntry(files: GrubFiles, text: EntryText, trial: Trial | null): Promise<void> {
  const others = (await requireWhole(files)).filter((one) => one.deploymentId !== text.deploymentId)
  const entry: GrubEntry = { ...entryText(text), ...(trial ?? { kind: 'good' }) }
  const counts = trial === null || trial.tries === null ? {} : { [text.activation]: trial.tries }
  await publish(files, { entries: [...others, entry], counts })
}

/** What is only staged has no verdict. */
async function judge(files: GrubFiles, { id }: BootDeployment, verdict: 'good' | 'bad'): Promise<void> {
  const [entries, env] = [await requireWhole(files), await readEnv(files)]
  const judged = entries.map((entry): GrubEntry => {
    if (entry.deploymentId !== id || entry.kind === 'staged' || entry.kind === verdict) return entry
    const { triesDone } = bootEntry(entry, env)
    return { ...entryText(entry), ...(verdict === 'good' ? { kind: 'good' } : { kind: 'bad', triesDone }) }
  })
  if (judged.some((entry, index) => entry !== entries[index])) await publish(files, { entries: judged })
}

async function keepOnly(files: GrubFiles, deploymentIds: ReadonlySet<string>): Promise<number> {
  const entries = await requireWhole(files)
  const kept = entries.filter(({ deploymentId }) => deploymentIds.has(deploymentId))
  const sizeOf = (some: readonly GrubEntry[]): number => Buffer.byteLength(renderEntries(some))
  if (kept.length < entries.length) await publish(files, { entries: kept })
  return sizeOf(entries) - sizeOf(kept) + (await removeUnusedKernels(files))
}
