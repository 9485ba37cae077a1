import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { SnapError } from '../errors.ts'
import { ancestorsOf, bytesOf, parentOf, shownName } from '../trees/names.ts'
import type { Entry, ReadOptions } from '../trees/tree.ts'
import { isGone, openPlain, pacer } from '../trees/tree.ts'
import { copyAttributes } from './copy-attributes.ts'
import type { Step } from './plan.ts'

export type Roots = { local: string; next: string }

type Work = Roots & {
  /** Folders seen to be real ones, so that nothing is ever written through a link. */
  trusted: Set<string>
}

/** Carries a plan out. A crash leaves a half-merged `next`, which nobody boots: its deployment has no marker yet. */
export async function applySteps(roots: Roots, steps: readonly Step[], options: ReadOptions): Promise<void> {
  const work: Work = { ...roots, trusted: new Set(['']) }
  const breathe = pacer(options)
  for (const step of steps) {
    insistOnParents(work, step.path)
    perform(work, step)
    await breathe()
  }
  // A folder's own look comes last, deepest first: what is put in it must not change it again.
  for (const step of steps.toReversed()) {
    if (step.kind !== 'dress-directory' && step.kind !== 'make-directory') continue
    dress(bytesOf(work.next, step.path), step.like)
    await breathe()
  }
  // Backwards too: what a folder with default access lists gives away must come after what is in it.
  await copyAttributes(roots, steps.toReversed().flatMap(attributed), options)
}

function attributed(step: Step): string[] {
  switch (step.kind) {
    case 'remove':
    case 'write':
      return []
    case 'copy':
      return step.entry.attributes === '' ? [] : [step.path]
    case 'make-directory':
    case 'dress-directory':
      return step.like.attributes === '' ? [] : [step.path]
  }
}

function perform(work: Work, step: Step): void {
  const target = bytesOf(work.next, step.path)
  switch (step.kind) {
    case 'remove':
      rmSync(target, { recursive: true, force: true })
      return
    case 'make-directory':
      makeDirectory(work, target)
      return
    case 'copy':
      copy(work, step.path, step.entry)
      return
    case 'write':
      write(work, step)
      return
    case 'dress-directory':
      // Attributes that the host does not have cannot be taken off, so the folder is made anew without them.
      if (step.former.attributes !== '' && step.former.attributes !== step.like.attributes)
        remake(work, target)
  }
}

function insistOnParents(work: Work, path: string): void {
  if (work.trusted.has(parentOf(path))) return
  for (const parent of ancestorsOf(path)) {
    if (!lstatSync(bytesOf(work.next, parent)).isDirectory()) {
      throw new SnapError(
        'refused',
        `merge /etc: ${shownName(parent)} is no folder of the new /etc; nothing is written through it`,
      )
    }
    work.trusted.add(parent)
  }
}

/**
 * In the topmost folder, whatever the target's: a folder with default access lists would give them to what is made
 * in it. Nothing else in /etc has such a name.
 */
function temporaryIn(work: Work): Buffer {
  return bytesOf(work.next, '.container-snap-merge.new')
}

function makeDirectory(work: Work, target: Buffer): void {
  const temporary = temporaryIn(work)
  mkdirSync(temporary, 0o700)
  renameSync(temporary, target)
}

function remake(work: Work, target: Buffer): void {
  const temporary = temporaryIn(work)
  mkdirSync(temporary, 0o700)
  for (const name of readdirSync(target, { encoding: 'buffer' }))
    renameSync(within(target, name), within(temporary, name))
  rmdirSync(target)
  renameSync(temporary, target)
}

function within(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name])
}

function copy(work: Work, path: string, entry: Entry): void {
  const temporary = temporaryIn(work)
  rmSync(temporary, { force: true })
  try {
    if (entry.kind === 'link') symlinkSync(Buffer.from(entry.content, 'latin1'), temporary)
    else copyContent(bytesOf(work.local, path), temporary)
  } catch (error) {
    // It went while we worked: then there is nothing to carry.
    if (isGone(error)) return
    throw error
  }
  lchownSync(temporary, entry.uid, entry.gid)
  // After the owner: a change of owner takes the setuid bit away.
  if (entry.kind === 'file') chmodSync(temporary, entry.mode)
  renameSync(temporary, bytesOf(work.next, path))
}

/** Through the open file, so that what is copied is the file that was looked at and no link put in its place. */
function copyContent(source: Buffer, target: Buffer): void {
  const file = openPlain(source)
  try {
    copyFileSync(`/proc/self/fd/${file}`, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    const { atime, mtime } = fstatSync(file)
    lutimesSync(target, atime, mtime)
  } finally {
    closeSync(file)
  }
}

function dress(target: Buffer, like: Entry): void {
  lchownSync(target, like.uid, like.gid)
  chmodSync(target, like.mode)
}

const plainMode = 0o444

function write(work: Work, { path, text, like }: Extract<Step, { kind: 'write' }>): void {
  const target = bytesOf(work.next, path)
  const former = lstatSync(target, { throwIfNoEntry: false })
  // In place where it can be, for the sake of the file's own attributes; nobody reads it yet.
  if (former !== undefined && !(former.isFile() && former.nlink === 1)) rmSync(target)
  const file = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600)
  try {
    for (let done = 0; done < text.length;) done += writeSync(file, text, done)
    fchownSync(file, like?.uid ?? 0, like?.gid ?? 0)
    fchmodSync(file, like?.mode ?? plainMode)
  } finally {
    closeSync(file)
  }
}
