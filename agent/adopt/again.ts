import type { ApplyOptions } from './apply.ts'
import type { Status } from '../hosts/container-snap-status.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import type { Journal } from './journal.ts'
import { runsDeployment } from './undo.ts'
import { withWorkplace } from './workplace.ts'

/** What became of an adoption whose every step is done; returns the exit status. */
export async function tellOutcome(options: ApplyOptions, journal: Journal): Promise<number> {
  const id = journal.deployment ?? ''
  if (await runsDeployment(options)) {
    options.say('every step is done and the new root runs: adopt --finish, or adopt --undo')
    return 0
  }
  const status = await withWorkplace(options, journal, async ({ snap }) => readStatus(snap, options.signal))
  const why = whyNotNext(status, id)
  options.say(
    why === null
      ? `every step is done: ${id} boots next, on trial; reboot now`
      : `every step is done, but ${id} does not boot next: ${why}. See why in its journal (mount its /var), take it back with adopt --undo, and adopt an image that has that mended.`,
  )
  return why === null ? 0 : 1
}

function whyNotNext({ deployments, default: next }: Status, id: string): string | null {
  const found = deployments.find((one) => one.id === id)
  if (found === undefined) return 'it is gone'
  if (found.bad !== null) return `it is marked bad (${found.bad})`
  if (found.entry === null) return 'it has no boot entry'
  if (found.triesLeft === 0) return `its boot entry ${found.entry} has no tries left`
  return next?.id === id ? null : `the default is ${next?.id ?? 'another subvolume'}`
}
