import { renderDesiredState } from '../../controller/desired-state/render.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { addedBy, removedBy } from '../offline/argument-change.ts'
import { readDesiredState } from '../offline/files.ts'
import { readInventory } from '../offline/inventory.ts'
import { outlookOf } from '../offline/outlook.ts'
import type { Outlook } from '../offline/outlook.ts'
import type { GivenImages } from '../offline/wanted.ts'
import { hasDifferences, renderMarkdown, renderPreview } from '../render/outlook.ts'
import { renderJson } from '../render/structured.ts'
import type { Session } from '../session.ts'

type PreviewOptions = {
  inventory?: string | undefined
  image: GivenImages
  at?: number | undefined
  detailedExitcode?: boolean | undefined
  output: 'table' | 'markdown' | 'json' | 'yaml'
}

/** A simulation in which nothing fails and hosts lose no time: what is left is what the strategy does. */
export async function runPreview(
  session: Session,
  dir: string,
  options: PreviewOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  const desiredState = await readDesiredState(terminal, 'preview', dir)
  if (desiredState === null) return exitStatus.error
  if (options.output === 'yaml') {
    terminal.out(renderDesiredState(desiredState))
    return exitStatus.done
  }
  const { denials, hosts } = await readInventory(session, options.inventory)
  const outlook = outlookOf({
    desiredState,
    hosts,
    denials,
    given: options.image,
    startMs: options.at ?? Date.now(),
    seed: 1,
    failureRate: 0,
    slowness: 0,
  })
  terminal.out(rendered(outlook, options.output))
  return options.detailedExitcode === true && hasDifferences(outlook)
    ? exitStatus.differences
    : exitStatus.done
}

function rendered(outlook: Outlook, output: 'table' | 'markdown' | 'json'): string {
  switch (output) {
    case 'table':
      return renderPreview(outlook)
    case 'markdown':
      return renderMarkdown(outlook)
    case 'json':
      return renderJson(dataOf(outlook))
  }
}

/** What a script may rely on. */
export function dataOf({ fleets, kernelArguments, ownerless, startMs }: Outlook): unknown {
  return {
    startMs,
    fleets: fleets.map(({ denials, endedAfterMs, hosts, limits, name, rollout, unresolved, waves }) => ({
      name,
      state: denials.length > 0 ? 'Denied' : (rollout?.state.kind ?? 'Unchanged'),
      digest: rollout?.image.digest ?? null,
      denials: denials.map(({ fleet: _same, ...denial }) => denial),
      unresolved,
      endedAfterMs,
      waves,
      limits,
      hosts,
    })),
    kernelArguments: kernelArguments.map((change) => ({
      ...change,
      added: addedBy(change),
      removed: removedBy(change),
    })),
    ownerless,
  }
}
