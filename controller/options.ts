import type { Logger } from 'pino'
import type { Measurer } from './analysis/measure.ts'
import type { Config } from './config.ts'
import type { ImageTrust } from './image-trust.ts'
import type { OperatorRoles } from './operators/bindings-file.ts'
import type { Accounts } from './operators/accounts.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { NatsUserFor } from './pki/nats-keys.ts'
import type { Pki } from './pki/pki-directory.ts'
import type { TrustFile } from './pki/trust-file.ts'
import type { Revocations } from './revocations.ts'
import type { Store } from './store/store.ts'
import type { PageFiles } from './web/backend.ts'

/** What the composition root hands to the controller. */
export type ControllerOptions = {
  readonly config: Config
  readonly pki: Pki
  readonly natsUserFor: NatsUserFor
  readonly trustFile: TrustFile
  readonly revocations: Revocations
  readonly roles: OperatorRoles
  readonly accounts: Accounts
  readonly store: Store
  readonly registry: RegistryClient
  readonly trust: ImageTrust
  readonly measurer: Measurer
  /** Null in a program that was built without it. */
  readonly page: PageFiles | null
  readonly logger: Logger
  /** Given what polls the source at once. */
  readonly onSyncSignal: (sync: () => void) => void
  readonly signal: AbortSignal
}
