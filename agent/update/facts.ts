export type Deployment = {
  readonly deploymentId: string
  /** Null where the host does not know from which image it was made. */
  readonly digest: string | null
  readonly manifestDigest: string | null
  /** What a plan wanted on its kernel's line; absent: nothing. */
  readonly kernelArguments?: readonly string[]
}

export type KnownDeployment = Deployment & {
  /** It proved itself here. */
  readonly blessed: boolean
  /** Why it must not be booted again; null while nothing is known against it. */
  readonly bad: string | null
  /** The version label of its image; absent: it has none, or nobody can say. */
  readonly version?: string
}

/** A change of what boots that a person asked for on the machine, and nobody has made since. */
export type LocalMove = {
  readonly id: string
  readonly user: string
  /** Of container-snap. */
  readonly command: string
  readonly atMs: number
  /** Of what was made to boot next; null: of an image that nobody knows. */
  readonly digest: string | null
}

/** What the host says about itself: the only truth that `resume` trusts. */
export type HostFacts = {
  readonly bootId: string
  /** Null: the root that runs is no deployment. */
  readonly current: Deployment | null
  readonly default: Deployment | null
  readonly deployments: readonly KnownDeployment[]
  /** What was seen of the boots since an activation that something else came up after; a line each. */
  readonly evidence: readonly string[]
  /** Absent: what boots next is the agent's choice, or the installer's. */
  readonly moved?: LocalMove
}
