import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from '../durable-file.ts'
import { adoptLoader } from './boot.ts'
import { CARRIED_BASE, CARRIED_ETC, carryEtc, keepWholeEtc, makeMountPoints } from './carry.ts'
import { makeSubvolume } from './convert.ts'
import type { Journal } from './journal.ts'
import { writeJournal } from './journal.ts'
import { generationOf } from './written.ts'
import type { Workplace, WorkOptions } from './workplace.ts'
import { caller, withTopLevel, withWorkplace } from './workplace.ts'

export type ApplyOptions = WorkOptions & {
  readonly say: (line: string) => void
  /** Given by tests only: called when a step is written down as done. */
  readonly failpoint?: (step: string) => Promise<void>
}

const PULL_MS = 4 * 3_600_000
const STAGE_MS = 30 * 60_000

/**
 * Takes an adoption up where it is, to its end. What is done is written down after each step, and each step can be
 * done again; nothing but the last one changes what boots.
 */
export async function applyAdoption(options: ApplyOptions, begun: Journal): Promise<Journal> {
  const converted = await withTopLevel(options, async (top) => {
    const call = caller(options)
    let journal = begun
    for (const one of begun.created) {
      const step = `subvolume ${one.name}`
      if (journal.done.includes(step)) continue
      options.say(one.copyOf === null ? `making ${one.name}` : `copying ${one.copyOf} into ${one.name}`)
      await makeSubvolume({ top, call }, journal, one)
      const generations = {
        ...journal.generations,
        [one.name]: await generationOf(join(top, one.name), call),
      }
      journal = await note(options, null, { ...journal, generations, done: [...journal.done, step] })
    }
    return journal
  })
  return withWorkplace(options, converted, async (place) => {
    let journal = converted
    for (const { name, words, act } of STEPS) {
      if (journal.done.includes(name)) continue
      options.say(words)
      const change = await act({ options, place, journal })
      journal = await note(options, place, { ...journal, ...change, done: [...journal.done, name] })
    }
    return journal
  })
}

async function note(options: ApplyOptions, place: Workplace | null, journal: Journal): Promise<Journal> {
  await writeJournal(options.sysroot, journal)
  // The new root asks its own /var.
  if (place !== null) await writeJournal(place.root, journal)
  await options.failpoint?.(journal.done.at(-1) ?? '')
  return journal
}

type Work = { readonly options: ApplyOptions; readonly place: Workplace; readonly journal: Journal }

type Step = {
  readonly name: string
  readonly words: string
  readonly act: (work: Work) => Promise<Partial<Journal>>
}

const STEPS: readonly Step[] = [
  { name: 'etc kept', words: 'keeping the whole /etc', act: keepEtc },
  { name: 'machine described', words: 'describing the machine to container-snap', act: describeMachine },
  { name: 'image pulled', words: 'fetching the image', act: pullImage },
  { name: 'deployed', words: 'making the first deployment', act: deploy },
  { name: 'loader settled', words: 'settling the boot loader', act: settleLoader },
  { name: 'activated', words: 'making it what boots next, on trial', act: activate },
]

/** The last step names what boots next. */
export function isApplied({ done }: Journal): boolean {
  return STEPS.every(({ name }) => done.includes(name))
}

async function keepEtc({ options, place }: Work): Promise<Partial<Journal>> {
  await keepWholeEtc({ etc: join(options.sysroot, 'etc'), call: place.call }, place.root)
  return {}
}

async function describeMachine({ place, journal }: Work): Promise<Partial<Journal>> {
  const { loader, kernelArguments } = journal
  const folder = join(place.root, 'var/lib/container-snap')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const text = JSON.stringify({ version: 1, loader, kernelArguments }, null, 2)
  await writeDurably(join(folder, 'machine.json'), `${text}\n`, 0o600)
  return {}
}

const Pulled = z.object({ imageId: z.string() })
const Deployed = z.object({ id: z.string(), conflicts: z.array(z.string()) })

async function pullImage({ options, place, journal }: Work): Promise<Partial<Journal>> {
  const attempt = `pull ${journal.image}`
  const settings = { code: 'DownloadFailed', attempt, signal: options.signal, timeoutMs: PULL_MS } as const
  const text = await place.snap(['pull', '--json', `docker://${journal.image}`], settings)
  return { imageId: Pulled.parse(JSON.parse(text)).imageId }
}

async function deploy({ options, place, journal }: Work): Promise<Partial<Journal>> {
  const { root, snap, call } = place
  const { signal } = options
  const imageId = journal.imageId ?? ''
  const staging = {
    code: 'StageFailed',
    attempt: `deploy ${journal.image}`,
    signal,
    timeoutMs: STAGE_MS,
  } as const
  const image = (await snap(['get-root', imageId], staging)).trim()
  await carryEtc({ etc: join(options.sysroot, 'etc'), call }, { root, image, journal })
  const etc = ['--etc-base', join(root, CARRIED_BASE), '--etc', join(root, CARRIED_ETC)]
  const { id, conflicts } = Deployed.parse(
    JSON.parse(await snap(['deploy', '--json', ...etc, imageId], staging)),
  )
  for (const path of conflicts)
    options.say(`  the image has its own of it, and the machine's was taken: ${path}`)
  const deployment = (await snap(['get-root', id], staging)).trim()
  await makeMountPoints(deployment, root)
  for (const path of [CARRIED_ETC, CARRIED_BASE]) await rm(join(root, path), { recursive: true, force: true })
  return { deployment: id }
}

async function settleLoader({ options, journal }: Work): Promise<Partial<Journal>> {
  await adoptLoader(options.sysroot, journal)
  return {}
}

async function activate({ options, place, journal }: Work): Promise<Partial<Journal>> {
  const { deployment } = journal
  const attempt = `activate ${deployment}`
  const settings = { code: 'ActivateFailed', attempt, signal: options.signal, timeoutMs: STAGE_MS } as const
  await place.snap(['activate', deployment ?? ''], settings)
  return {}
}
