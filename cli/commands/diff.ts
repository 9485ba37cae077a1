import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { differencesOf } from '../offline/differences.ts'
import { readDesiredState } from '../offline/files.ts'
import { readInventory } from '../offline/inventory.ts'
import type { GivenImages } from '../offline/wanted.ts'
import { renderDifferences } from '../render/differences.ts'
import type { Session } from '../session.ts'

type DiffOptions = { inventory?: string | undefined; image: GivenImages }

export async function runDiff(session: Session, dir: string, options: DiffOptions): Promise<ExitStatus> {
  const { terminal } = session
  const desiredState = await readDesiredState(terminal, 'diff', dir)
  if (desiredState === null) return exitStatus.error
  const { hosts } = await readInventory(session, options.inventory)
  const differences = differencesOf({ desiredState, hosts, given: options.image })
  terminal.out(renderDifferences(differences))
  return differences.changed.length > 0 ? exitStatus.differences : exitStatus.done
}
