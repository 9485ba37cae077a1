import { open } from 'node:fs/promises'
import { parseJoinToken } from '../../proto/join-token.ts'
import type { JoinToken } from '../../proto/join-token.ts'
import { AgentError } from '../errors.ts'

const SIZE_MAX_BYTES = 1_024

/**
 * From a file, since every user of a machine sees the arguments of its programs.
 * @throws AgentError ConfigInvalid, which never shows what the file holds.
 */
export async function readTokenFile(path: string): Promise<JoinToken> {
  const text = await readPrivate(path).catch((cause: Error) => {
    if (cause instanceof AgentError) throw cause
    throw new AgentError('ConfigInvalid', `reading the token ${path}: ${cause.message}`, { cause })
  })
  const token = parseJoinToken(text.trim())
  if (token !== null) return token
  throw new AgentError(
    'ConfigInvalid',
    `reading the token ${path}: it holds none; put there the one line that "bootfleet enrol token create" printed`,
  )
}

async function readPrivate(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { mode, size } = await file.stat()
    if ((mode & 0o077) !== 0) {
      const found = `reading the token ${path}: others may read it`
      throw new AgentError('ConfigInvalid', `${found}; chmod 600 it, and make another if anybody did`)
    }
    if (size > SIZE_MAX_BYTES)
      throw new AgentError('ConfigInvalid', `reading the token ${path}: it is too large`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}
