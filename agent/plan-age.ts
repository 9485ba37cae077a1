import type { AgentConfig } from './config.ts'
import { staleSinceMs } from './plans/staleness.ts'
import type { State } from './update/types.ts'

/** A clock that is set back makes no plan young: what was signed since says what time it is at least. */
export function planAgeOf(host: {
  readonly config: Pick<AgentConfig, 'plans'>
  readonly identity: { readonly certificate: () => { readonly notBeforeMs: number } }
  readonly trust: { readonly believed: () => { readonly issuedAtMs: number } }
}): (state: State) => number | null {
  const { staleAfterMs } = host.config.plans
  return ({ accepted }) => {
    const { notBeforeMs } = host.identity.certificate()
    const nowMs = Math.max(Date.now(), notBeforeMs, host.trust.believed().issuedAtMs)
    return staleSinceMs(accepted, { nowMs, staleAfterMs })
  }
}
