import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import * as z from 'zod'
import { writeDurably } from './durable-file.ts'
import { ControllerError } from './errors.ts'

const Holder = z.uuid()

export type StateDirectory = {
  /** Id under which this directory's controller holds the lease; made once. */
  readonly holder: string
  close(): Promise<void>
}

/** @throws ControllerError StateDirInUse while another process has it open; ConfigInvalid when it cannot be used. */
export async function openStateDirectory(stateDir: string): Promise<StateDirectory> {
  const holder = await openHolderId(stateDir).catch((cause: unknown) => {
    if (cause instanceof ControllerError) throw cause
    throw new ControllerError(
      'ConfigInvalid',
      `opening the state directory ${stateDir}: ${String(cause)}; check stateDir and its permissions`,
      { cause },
    )
  })
  return { holder, close: await lock(stateDir, holder) }
}

async function openHolderId(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const path = join(stateDir, 'holder-id')
  const made = join(stateDir, `holder-id.${randomUUID()}`)
  await writeFile(made, `${randomUUID()}\n`, { mode: 0o600, flush: true })
  try {
    // Of two that start together on a new directory, one makes the id and both read it.
    await link(made, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    })
  } finally {
    await rm(made, { force: true })
  }
  const known = Holder.safeParse((await readFile(path, 'utf8')).trim())
  if (known.success) return known.data
  throw new ControllerError(
    'ConfigInvalid',
    `reading ${path}: it holds no UUID; remove the file and start again`,
  )
}

/**
 * A name in Linux's abstract socket namespace is a lock that the kernel takes back however its process ends, so
 * that nothing stale is ever left; the id in it is known only to who can read the directory.
 */
async function lock(stateDir: string, holder: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const found = cause.code === 'EADDRINUSE' ? 'another controller uses it' : cause.message
      const message = `locking the state directory ${stateDir}: ${found}; stop the other one, or give each its own stateDir`
      reject(new ControllerError('StateDirInUse', message, { cause }))
    })
    server.listen(`\0bootfleet-controller/${holder}`, resolve)
  })
  server.unref()
  return () => new Promise((resolve) => server.close(() => resolve()))
}

/** Where this controller listens, for programs that start it with port 0. */
export async function writeAddress(stateDir: string, address: string): Promise<void> {
  await writeDurably(join(stateDir, 'address'), `${address}\n`)
}

export async function writeWebhookAddress(stateDir: string, address: string): Promise<void> {
  await writeDurably(join(stateDir, 'webhook-address'), `${address}\n`)
}

export async function writeWebAddress(stateDir: string, address: string): Promise<void> {
  await writeDurably(join(stateDir, 'web-address'), `${address}\n`)
}

export async function writeJoinAddress(stateDir: string, address: string): Promise<void> {
  await writeDurably(join(stateDir, 'join-address'), `${address}\n`)
}

/** The last term that this directory's controller led in; 0 before the first. */
export async function readTerm(stateDir: string): Promise<number> {
  const text = await readFile(join(stateDir, 'term'), 'utf8').catch(() => '')
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : 0
}

export async function writeTerm(stateDir: string, term: number): Promise<void> {
  await writeDurably(join(stateDir, 'term'), `${term}\n`)
}
