import type { SourceFile } from '../desired-state/types.ts'
import { isDesiredStateFile, tooLarge } from './file-limits.ts'
import type { FileLimits } from './file-limits.ts'
import type { GitOutcome } from './git-process.ts'

export type TreeFile = { readonly objectId: string; readonly sizeBytes: number; readonly path: string }

/** The files of ours in `ls-tree -r -z -l`. Symlinks and submodules are none. */
export function filesOf(listing: Buffer, folder: string, limits: FileLimits): readonly TreeFile[] {
  const files: TreeFile[] = []
  let totalBytes = 0
  for (const entry of listing.toString('utf8').split('\0')) {
    const file = fileOf(entry, folder)
    if (file === null) continue
    files.push(file)
    totalBytes += file.sizeBytes
    const shown = JSON.stringify(file.path)
    if (file.sizeBytes > limits.maxFileBytes) {
      throw tooLarge(
        `file ${shown} has ${file.sizeBytes} bytes, more than the limit of ${limits.maxFileBytes}`,
      )
    }
    if (files.length > limits.maxFiles) throw tooLarge(`there are more than ${limits.maxFiles} YAML files`)
    if (totalBytes > limits.maxTotalBytes)
      throw tooLarge(`the YAML files exceed ${limits.maxTotalBytes} bytes`)
  }
  return files
}

function fileOf(entry: string, folder: string): TreeFile | null {
  const match = /^100(?:644|755|664) blob ([0-9a-f]{40,64}) +([0-9]+)\t(.*)$/s.exec(entry)
  if (match === null) return null
  const [, objectId = '', size = '', name = ''] = match
  if (!isDesiredStateFile(name)) return null
  return { objectId, sizeBytes: Number(size), path: folder === '' ? name : `${folder}/${name}` }
}

/** The answers of `cat-file --batch`, in the order asked. */
export function textsOf(outcome: GitOutcome, files: readonly TreeFile[]): readonly SourceFile[] | null {
  const found: SourceFile[] = []
  let offset = 0
  for (const file of files) {
    const header = `${file.objectId} blob ${file.sizeBytes}\n`
    const start = offset + header.length
    const end = start + file.sizeBytes
    if (outcome.stdout.toString('latin1', offset, start) !== header || end >= outcome.stdout.length)
      return null
    found.push({ path: file.path, text: outcome.stdout.toString('utf8', start, end) })
    offset = end + 1
  }
  return found
}
