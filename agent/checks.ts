import { httpCheck } from './health/http-check.ts'
import { reachController } from './health/reach-controller.ts'
import type { Peers } from './health/reach-controller.ts'
import type { NamedCheck } from './health/run-checks.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import type { HealthChecks } from './update/types.ts'

/** Who may answer whatever the image is. */
export type Network = Omit<Peers, 'repository'>

export type Asked = { readonly health: HealthChecks; readonly repository: string }

/** A network may take as long to come up. */
const REACH_GRACE_MS = 5 * 60 * 1000

/** All that a policy asks for, the host's own checks first. */
export async function gatherChecks(
  { health, repository }: Asked,
  { driver, network }: { readonly driver: HostDriver; readonly network?: Network },
): Promise<readonly NamedCheck[]> {
  const ofHost = await driver.checksOf(health)
  if (driver.network === 'simulated') return ofHost
  const ofHttp = health.http.map(({ url }) => httpCheck(url))
  if (!health.reachController || network === undefined) return [...ofHost, ...ofHttp]
  return [...ofHost, ...ofHttp, reachController({ ...network, repository }, { graceMs: REACH_GRACE_MS })]
}
