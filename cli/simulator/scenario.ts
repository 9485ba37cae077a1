import type { Freeze, HostDeclaration } from '../../controller/desired-state/types.ts'
import type { ResolvedImage, WantedFleet } from '../../controller/rollout/wanted.ts'
import type { RolloutVerb } from '../../controller/rollout/events.ts'

/** How an image does on hosts: shares of them, drawn once for each host and image. */
export type SimulatedImage = {
  readonly image: ResolvedImage
  /** Its checks fail. */
  readonly failureRate: number
  /** It does not come up, and the boot loader falls back. */
  readonly bootFailureRate: number
  /** It comes up without a network. */
  readonly networkLossRate: number
}

export type SimulatedHostSpec = {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly architecture: string
  /** What it runs when it is first seen. */
  readonly running: ResolvedImage
  /** What git gave it for its kernel's line; absent: nothing. */
  readonly kernelArguments?: readonly string[]
  /** Its boot loader counts no tries. */
  readonly unguarded?: true
  readonly enrolledAtMs: number
  /** 1: as fast as the model says; 3: three times as slow; 0: all but what it is told to wait for is at once. */
  readonly slowness: number
}

/** What git says; see the event of that name. */
export type Wanted = {
  readonly commit: string
  readonly fleets: readonly WantedFleet[]
  readonly hosts: readonly HostDeclaration[]
  readonly freezes: readonly Freeze[]
}

export type Operation = { readonly atMs: number } & (
  | ({ readonly kind: 'commit' } & Wanted)
  /** On what serves the fleet then. */
  | { readonly kind: RolloutVerb['kind']; readonly fleet: string }
  | { readonly kind: 'retry'; readonly fleet: string; readonly host: string | null }
  | {
      readonly kind: 'deny' | 'allow'
      readonly fleet: string
      readonly digest: string
      /** Absent: one like any other. */
      readonly reason?: string
    }
  | { readonly kind: 'halt' | 'unhalt'; readonly fleet: string | null }
  | { readonly kind: 'relabel'; readonly host: string; readonly labels: Readonly<Record<string, string>> }
)

/** Every one begins at `atMs`; those of hosts do nothing to a host that is not in the scenario. */
export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'hostDies'; readonly host: string }
  | { readonly kind: 'hostAway'; readonly host: string; readonly forMs: number }
  | { readonly kind: 'hostOff'; readonly host: string; readonly forMs: number }
  | { readonly kind: 'hostFlaps'; readonly host: string; readonly times: number; readonly everyMs: number }
  | { readonly kind: 'agentCrash'; readonly host: string }
  /** Somebody boots what ran before, past us; hours later an operator lets the host go on. */
  | { readonly kind: 'movedByHand'; readonly host: string }
  /** Says that it is of another architecture than it is. */
  | { readonly kind: 'hostLies'; readonly host: string; readonly architecture: string }
  | { readonly kind: 'hostClock'; readonly host: string; readonly byMs: number }
  /** Cuts the next decision that has writes after so many of them; all of them: only the plans are lost. */
  | { readonly kind: 'controllerCrash'; readonly afterWrites: number; readonly downMs: number }
  /** The same, but the process lives: what was not synced is lost, and the store is away. */
  | { readonly kind: 'storeRestart'; readonly afterWrites: number; readonly downMs: number }
  | { readonly kind: 'controllerStop'; readonly downMs: number }
  /** Nothing of it comes back; an operator enrols every host again, as it was. */
  | { readonly kind: 'storeWiped'; readonly downMs: number }
  | { readonly kind: 'controllerClock'; readonly byMs: number }
  | { readonly kind: 'badNetwork'; readonly forMs: number; readonly rates: NetworkRates }
)

/** Of messages: these shares are lost, come twice, or come late and so in another order. */
export type NetworkRates = { readonly lost: number; readonly doubled: number; readonly late: number }

export type Scenario = {
  readonly seed: number
  /** Wall clock at the beginning. */
  readonly startMs: number
  readonly durationMs: number
  readonly images: readonly SimulatedImage[]
  readonly hosts: readonly SimulatedHostSpec[]
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
  /** How measurements end: shares of them. */
  readonly analyses: { readonly failureRate: number; readonly inconclusiveRate: number }
  /** How long an operator takes to approve; null: nobody does. */
  readonly approvedAfterMs: number | null
}
