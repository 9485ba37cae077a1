import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { runningEtc } from '../deploy/etc-base.ts'
import { SnapError } from '../errors.ts'
import { listLocalChanges } from '../etc/changes.ts'
import { machineRule } from '../etc/machine-files.ts'
import { openView } from '../store/session.ts'

const signs = { added: '+', removed: '-', changed: '~' } as const

/** What this machine did to the /etc that its image came with; not what every machine has of its own, nor any content. */
export async function etcDiff(context: Context): Promise<string> {
  const roots = runningEtc(await openView(context))
  if (roots === null) {
    const found = 'what runs is no deployment of this store, or its image is gone'
    throw new SnapError('refused', `compare the /etc of ${context.paths.sysroot} with its image: ${found}`)
  }
  const all = await listLocalChanges(roots.base, roots.local, context)
  const changes = all.filter(({ path }) => machineRule(path) === null)
  if (context.json) return jsonLine({ changes })
  return changes.map(({ kind, path }) => `${signs[kind]} ${path}\n`).join('')
}
