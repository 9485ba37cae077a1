import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Pki } from './pki/pki-directory.ts'
import type { Store } from './store/store.ts'

/** What the composition root hands to the controller. */
export type ControllerOptions = {
  readonly config: Config
  readonly pki: Pki
  readonly store: Store
  readonly registry: RegistryClient
  readonly logger: Logger
  /** Given what polls the source at once. */
  readonly onSyncSignal: (sync: () => void) => void
  readonly signal: AbortSignal
}
