import { join } from 'node:path'
import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import { keysKept, openKeyFiles } from './identity/key-files.ts'
import type { KeyFiles, KeysKept } from './identity/key-files.ts'
import { peekState } from './state-file.ts'
import type { Phase, State } from './update/types.ts'

/** How the keys of this host are kept, by its configuration and by what it runs. */
export type Sealing = {
  readonly keys: KeyFiles
  /** @throws AgentError IdentityInvalid where sealing is required and cannot be done. */
  readonly settle: () => Promise<void>
  /** For later: what fails is logged, and the keys stay as they are. */
  readonly settleQuietly: () => Promise<void>
  /** How they were kept at the last look; one comes with each settling. */
  readonly kept: () => KeysKept
  readonly look: () => Promise<void>
}

export function openSealing({
  config,
  log,
  signal,
}: {
  readonly config: AgentConfig
  readonly log: Logger
  readonly signal: AbortSignal
}): Sealing {
  const warn = (error: Error): void => log.warn({ err: error }, 'the TPM seals no keys')
  const keys = openKeyFiles({ directory: config.identityDir, ...config.identity, warn, signal })
  let kept: KeysKept = 'plain'
  const look = async (): Promise<void> => {
    kept = await keysKept(config.identityDir)
  }
  const settle = async (): Promise<void> => {
    const state = await peekState(join(config.stateDir, 'state.json'))
    await keys.settle(standingOf(state))
    await look()
  }
  return {
    keys,
    settle,
    kept: () => kept,
    look,
    settleQuietly: () =>
      settle().catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'sealing the keys failed')
      }),
  }
}

function standingOf(state: State | null): 'proven' | 'on trial' {
  return state !== null && isOnTrial(state.at.phase) ? 'on trial' : 'proven'
}

/** Whether what runs may be an image that falls back to the one before. */
function isOnTrial(phase: Phase): boolean {
  switch (phase) {
    case 'Activating':
    case 'Rebooting':
    case 'Verifying':
    case 'Blessing':
    case 'RollingBack':
      return true
    case 'Idle':
    case 'Downloading':
    case 'Ready':
    case 'Staging':
    case 'Staged':
    case 'Healthy':
    case 'Judging':
    case 'RolledBack':
    case 'Failed':
      return false
  }
}
