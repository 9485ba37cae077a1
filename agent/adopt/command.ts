import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { parseArgs } from 'node:util'
import { AgentError } from '../errors.ts'
import { lockInstance } from '../instance-lock.ts'
import { applyAdoption, isApplied } from './apply.ts'
import { tellOutcome } from './again.ts'
import type { ApplyOptions } from './apply.ts'
import { saveLoaderFiles } from './boot.ts'
import { gatherFacts } from './gather.ts'
import type { Journal } from './journal.ts'
import { journalPath, readJournal, requireJournal, STATE_FOLDER, writeJournal } from './journal.ts'
import { finishAdoption, listEtc } from './later.ts'
import { mountsOf, requireRoot } from './mounts.ts'
import { planAdoption } from './plan.ts'
import { isRefused, preflight } from './preflight.ts'
import type { UndoOptions } from './undo.ts'
import { undoAdoption } from './undo.ts'
import { preflightLines } from './words.ts'
import { workplaceOf } from './workplace.ts'

export const ADOPT_USAGE = `bootfleet-agent adopt: moves a machine that runs already to an image

usage:
  bootfleet-agent adopt --dry-run [--json] IMAGE     what it would do, and why it cannot; changes nothing
  bootfleet-agent adopt --approve FINGERPRINT IMAGE  do what the dry run with this fingerprint said;
                                                     again after a crash: go on where it ended
  bootfleet-agent adopt --list-etc                   the old /etc against the new one
  bootfleet-agent adopt --undo [--discard-changes]   back to how it was, from wherever it is; refused where the new
                                                     root wrote to copies that go, unless that may go too
  bootfleet-agent adopt --finish                     the new root has proven itself: no way back any more

  --sysroot DIR   the machine whose root, and what it mounts below it, is mounted at DIR

Nothing boots otherwise before the last step of --approve, and then on trial: after three boots that do not prove
themselves the loader goes back to the old root, which nothing changes or deletes. Reboot soon: what is written to
a folder that was copied stays in the old root.

exit status: 0 done, or it can be done; 1 it is refused, or failed; 2 wrong use
`

export type AdoptOptions = Omit<ApplyOptions, 'sysroot'>

const OPTIONS = {
  'dry-run': { type: 'boolean', default: false },
  approve: { type: 'string' },
  'list-etc': { type: 'boolean', default: false },
  undo: { type: 'boolean', default: false },
  'discard-changes': { type: 'boolean', default: false },
  finish: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  sysroot: { type: 'string', default: '/' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** `bootfleet-agent adopt`; returns the exit status. */
export async function adopt(words: readonly string[], given: AdoptOptions): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options: OPTIONS })
  if (values.help) {
    given.say(ADOPT_USAGE.trimEnd())
    return 0
  }
  const options: ApplyOptions = { ...given, sysroot: values.sysroot }
  requireRightUse(values, positionals)
  const [image = ''] = positionals
  if (getuid?.() !== 0)
    throw new AgentError('AdoptRefused', 'adopt: file systems are looked at and mounted; run it as root')
  if (values['dry-run']) return dryRun(options, image, values.json ? 'json' : 'text')
  // Two at once would unmount each other's, also where each calls the same file system by another name.
  const root = requireRoot(await mountsOf(options.sysroot, options), options.sysroot)
  return withLock(journalPath(options.sysroot), () =>
    withLock(workplaceOf(root), () => carryOut(options, values, image)),
  )
}

function requireRightUse(values: Values, positionals: readonly string[]): void {
  const isAsked = [
    values['dry-run'],
    values.approve !== undefined,
    values['list-etc'],
    values.undo,
    values.finish,
  ]
  const wantsImage = values['dry-run'] || values.approve !== undefined
  const isRight = isAsked.filter(Boolean).length === 1 && positionals.length === (wantsImage ? 1 : 0)
  const isStray = (values.json && !values['dry-run']) || (values['discard-changes'] && !values.undo)
  if (!isRight || isStray) throw wrongUse('say one thing to do, and an image where it needs one')
}

async function withLock<T>(place: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockInstance(place)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

async function carryOut(options: ApplyOptions, values: Values, image: string): Promise<number> {
  if (values.approve !== undefined) return approve(options, image, values.approve)
  if (values['list-etc']) return listEtc(options)
  const changes = values['discard-changes'] ? 'discarded' : 'kept'
  return values.undo ? undo({ ...options, changes }) : finishAdoption(options)
}

function wrongUse(found: string): AgentError {
  return new AgentError('ConfigInvalid', `adopt: ${found}; bootfleet-agent adopt --help`)
}

async function dryRun(options: ApplyOptions, image: string, form: 'json' | 'text'): Promise<number> {
  const result = preflight(await gatherFacts({ ...options, image }))
  for (const line of form === 'json' ? [JSON.stringify(result)] : preflightLines(result)) options.say(line)
  return isRefused(result) ? 1 : 0
}

const PREFIX_MIN = 12

async function approve(options: ApplyOptions, image: string, approved: string): Promise<number> {
  if (!/^[0-9a-f]{12,64}$/.test(approved))
    throw wrongUse(`--approve ${approved}: not a fingerprint, nor its first ${PREFIX_MIN} digits or more`)
  const begun = await readJournal(options.sysroot)
  const journal = begun === null ? await begin(options, image, approved) : goOn(begun, approved)
  if (journal === null) return 1
  if (isApplied(journal)) return tellOutcome(options, journal)
  const { deployment } = await applyAdoption(options, journal)
  options.say(`done: ${deployment} boots next, on trial; the old root stays as it is`)
  options.say(
    'Reboot now. Then: adopt --list-etc, and adopt --finish or, back in the old root, adopt --undo.',
  )
  return 0
}

/** Null where it is refused. */
async function begin(options: ApplyOptions, image: string, approved: string): Promise<Journal | null> {
  const facts = await gatherFacts({ ...options, image })
  const result = preflight(facts)
  if (isRefused(result)) {
    for (const line of preflightLines(result)) options.say(line)
    return null
  }
  if (!result.fingerprint.startsWith(approved)) {
    const found = `what is here now has the fingerprint ${result.fingerprint}, not ${approved}`
    throw new AgentError('AdoptRefused', `adopt: ${found}; look at it again with --dry-run, and approve that`)
  }
  const hadFolder = await stat(join(options.sysroot, STATE_FOLDER)).then(
    () => true,
    () => false,
  )
  const saved = await saveLoaderFiles(options.sysroot, facts.loader)
  const journal = planAdoption(facts, { startedAt: new Date().toISOString(), hadFolder, saved })
  if (journal !== null) await writeJournal(options.sysroot, journal)
  return journal
}

function goOn(journal: Journal, approved: string): Journal {
  if (journal.fingerprint.startsWith(approved) && journal.finishedAt === null) return journal
  throw new AgentError(
    'AdoptRefused',
    `adopt: an adoption with the fingerprint ${journal.fingerprint} is under way; go on with that, or say --undo`,
  )
}

async function undo(options: UndoOptions & Pick<ApplyOptions, 'say'>): Promise<number> {
  const journal = await requireJournal(options.sysroot, 'undo the adoption')
  switch (await undoAdoption(options, journal)) {
    case 'done':
      options.say('undone: the machine is as it was')
      return 0
    case 'rebootFirst':
      options.say(
        'The old root boots next. Reboot, and say adopt --undo there again: this root runs from what goes then.',
      )
      return 0
  }
}
