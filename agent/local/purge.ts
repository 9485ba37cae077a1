import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentConfig } from '../config.ts'

/** Beside each, what a cut write leaves. */
const STATE = /^(state\.json(\.damaged-[\dTZ.-]+)?|trust\.jsonl|simulated-machine\.json)(\.new)?$/
const IDENTITY =
  /^((key\.pem|nats\.key)(\.sealed)?|request\.csr|certificate\.pem|ca\.pem|director\.pem|trust\.jsonl|nats\.(pub|jwt))(\.new)?$/
const SHOWN_MAX = 5

/**
 * Removes keys, what they vouch for, plans and the configuration, and nothing that has another name: the folders are
 * what the configuration says, which may be anybody's. Says what stays.
 */
export async function purge(
  { identityDir, stateDir }: Pick<AgentConfig, 'identityDir' | 'stateDir'>,
  configPath: string,
): Promise<readonly string[]> {
  const lines = [await empty(identityDir, IDENTITY), await empty(stateDir, STATE)]
  await rm(configPath, { force: true })
  return [...lines, `removed ${configPath}`]
}

async function empty(directory: string, ours: RegExp): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const isOurs = (entry: (typeof entries)[number]): boolean => !entry.isDirectory() && ours.test(entry.name)
  for (const entry of entries.filter(isOurs)) await rm(join(directory, entry.name), { force: true })
  const others = entries.filter((entry) => !isOurs(entry)).map(({ name }) => name)
  if (others.length > 0) {
    const shown = others.slice(0, SHOWN_MAX).join(', ')
    const more = others.length > SHOWN_MAX ? ` and ${others.length - SHOWN_MAX} more` : ''
    return `removed what was the agent's in ${directory}; it stays, for it also has ${shown}${more}`
  }
  // Also where it is a mount point, or somebody writes to it.
  return rmdir(directory).then(
    () => `removed ${directory}`,
    () => `removed what was the agent's in ${directory}`,
  )
}
