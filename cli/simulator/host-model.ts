import type { Effect, State } from '../../agent/update/types.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { SimulatedHostSpec, SimulatedImage } from './scenario.ts'

export type SimulatedHost = {
  readonly spec: SimulatedHostSpec
  readonly machine: Machine
  readonly random: Random
  /** The state file. */
  disk: State | null
  /** Null: no agent runs. */
  state: State | null
  /** What an earlier process or operation still had to do is void. */
  process: number
  work: number
  /** The effect that runs; a power cut may leave it half done. */
  running: Effect | null
  wakeAtMs: number | null
  /** Its clock against the true one. */
  clockMs: number
  isOn: boolean
  isDead: boolean
  /** Its line is down until here. */
  awayUntilMs: number
  isConnected: boolean
  /** Messages of an earlier connection are lost. */
  connection: number
  saysArchitecture: string
  /** What the controller was told last, as text. */
  told: string
}

/** What a host needs of the world around it. */
export type Surroundings = {
  readonly seed: number
  readonly startMs: number
  readonly elapsedMs: () => number
  readonly after: (ms: number, run: () => void) => void
  readonly imageOf: (digest: string) => SimulatedImage | null
  /** Whether anybody would answer it now. */
  readonly hasNetwork: (host: SimulatedHost) => boolean
  /** Its state is on disk, and may have something new to say. */
  readonly onState: (host: SimulatedHost) => void
  /** Its boot default has just moved to what a plan told it. */
  readonly onActivated: (host: SimulatedHost) => void
  readonly onBooted: (host: SimulatedHost) => void
  readonly onDown: (host: SimulatedHost) => void
}
