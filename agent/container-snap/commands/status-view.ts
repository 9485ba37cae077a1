import type { SourcedArgument } from '../boot/kernel-line.ts'
import type { Loader } from '../boot/loader.ts'
import type { Move } from '../ledger.ts'

export type Deployment = {
  id: string
  imageId: string
  digest: string
  manifestDigest: string
  /** The label of its image; empty where it has none. */
  version: string
  subvolumeUuid: string
  readonly: boolean
  createdAt: string
  pinned: boolean
  staged: boolean
  blessed: boolean
  bad: string | null
  activation: number | null
  /** File name of its entry; null without a loader, and where it has none. */
  entry: string | null
  /** Null where its boots are not counted. */
  triesLeft: number | null
  /** What a plan wants on its kernel's line. */
  kernelArguments: readonly string[]
}

export type Status = {
  sysroot: string
  loader: Loader['kind']
  /** Whether the loader counts tries and falls back; null without a loader, and where it cannot be asked. */
  guard: Awaited<ReturnType<Loader['guard']>>
  current: Deployment | null
  default: Deployment | null
  /** Where `rollback` leads. */
  rollback: Deployment | null
  /** The last activation, until a boot has shown what came of it. */
  activated: { id: string; activation: number; bootId: string } | null
  /** The last change of what boots, where a person asked for it. */
  moved: Move | null
  deployments: readonly Deployment[]
  /** On the line of what runs, behind its root; null where the image's cannot be read, or no entry of ours has them. */
  kernelLine: readonly SourcedArgument[] | null
}
