import { join } from 'node:path'
import type { ApplyOptions } from './apply.ts'
import { ADOPTED_ETC } from './carry.ts'
import { AgentError } from '../errors.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import { compareEtc } from './etc-list.ts'
import type { Journal } from './journal.ts'
import { readJournal, requireJournal, writeJournal } from './journal.ts'
import { runsDeployment } from './undo.ts'
import { snapOf, withTopLevel, withWorkplace } from './workplace.ts'

const KINDS = { left: 'only before', new: 'only now', changed: 'changed' } as const

/** The old /etc against that of the new root, whether it runs already or not. */
export async function listEtc(options: ApplyOptions): Promise<number> {
  const attempt = 'list what became of /etc'
  const journal = await readJournal(options.sysroot)
  if (journal === null || journal.deployment === null)
    throw new AgentError('AdoptRefused', `${attempt}: no adoption has come as far as a new /etc here`)
  if (await runsDeployment(options)) return tell(options, options.sysroot, join(options.sysroot, 'etc'))
  return withWorkplace(options, journal, async ({ root, snap }) => {
    const settings = { code: 'InspectFailed', attempt, signal: options.signal } as const
    const deployment = (await snap(['get-root', journal.deployment ?? ''], settings)).trim()
    return tell(options, root, join(deployment, 'etc'))
  })
}

async function tell(options: ApplyOptions, root: string, etc: string): Promise<number> {
  for (const { kind, path } of await compareEtc(join(root, ADOPTED_ETC), etc))
    options.say(`${KINDS[kind].padEnd(12)}${path}`)
  return 0
}

/** Nothing is deleted by it: what the old root has, nobody but a person can judge. */
export async function finishAdoption(options: ApplyOptions): Promise<number> {
  const attempt = 'finish the adoption'
  const journal = await requireJournal(options.sysroot, attempt)
  if (!(await runsDeployment(options)))
    throw new AgentError('AdoptRefused', `${attempt}: the old root runs; boot the new one first`)
  const { current } = await readStatus(await snapOf(options, options.sysroot), options.signal)
  if (current?.blessed !== true)
    throw new AgentError(
      'AdoptRefused',
      `${attempt}: what runs has not proven itself yet; the agent's health checks do that, or container-snap bless`,
    )
  const finished = { ...journal, finishedAt: new Date().toISOString() }
  // The old root asks its own /var, and must not undo any more either.
  if (journal.created.some(({ at }) => at === '/var'))
    await withTopLevel(options, async (top) => {
      const old = join(top, journal.root.subvolume)
      if ((await readJournal(old)) !== null) await writeJournal(old, finished)
    })
  await writeJournal(options.sysroot, finished)
  for (const line of lastWords(journal)) options.say(line)
  return 0
}

function lastWords({ root, created }: Journal): readonly string[] {
  const copied = created.flatMap(({ copyOf }) => copyOf ?? [])
  const place = root.subvolume === '/' ? 'the top level' : `the subvolume ${root.subvolume}`
  return [
    `finished: the old root is ${place}, and nothing needs it any more${copied.length === 0 ? '' : `, with its ${copied.join(', ')}`}`,
    'To free it: remove its boot entries and, with the top level mounted, what is in it.',
  ]
}
