import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import type { FileChange } from '../diff/files.ts'
import { diffFiles } from '../diff/files.ts'
import type { PackageDiff } from '../diff/packages.ts'
import { diffPackages } from '../diff/packages.ts'
import { withFetchedImages } from '../install/scratch-store.ts'
import { openView } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'

/** What came, went and changed from one snapshot to another: packages, then files. */
export async function diff(context: Context, fromId: string, toId: string): Promise<string> {
  const view = await openView(context)
  return compare(context, findSnapshot(view, fromId), findSnapshot(view, toId))
}

/** The same of two images that need not be here. */
export async function diffFetched(
  context: Context,
  from: string,
  to: string,
  stallMs: number,
): Promise<string> {
  const options = { attempt: `compare ${from} with ${to}`, stallMs }
  return withFetchedImages(context, [from, to], options, async ([fromPath = '', toPath = '']) =>
    compare(context, { id: from, path: fromPath }, { id: to, path: toPath }),
  )
}

type System = { readonly id: string; readonly path: string }

async function compare(context: Context, from: System, to: System): Promise<string> {
  const { signal } = context
  const packages = await diffPackages(from.path, to.path, signal)
  const files = await diffFiles(from.path, to.path, { signal, attempt: `compare ${from.id} with ${to.id}` })
  if (context.json) return jsonLine({ from: from.id, to: to.id, packages, files })
  return [...packageLines(packages), ...files.map(fileLine)].map((line) => `${line}\n`).join('')
}

function packageLines(packages: PackageDiff): string[] {
  if (packages.kind === 'not-compared') return [`# ${packages.reason}: packages not compared`]
  return packages.changes.map(({ name, from, to }) => {
    if (from === null) return `+ ${name} ${to}`
    return to === null ? `- ${name} ${from}` : `~ ${name} ${from} → ${to}`
  })
}

const signs = { added: '+', removed: '-', changed: '~' } as const

function fileLine({ path, kind, what }: FileChange): string {
  return `${signs[kind]} ${path}${what.length === 0 ? '' : `  ${what.join(', ')}`}`
}
