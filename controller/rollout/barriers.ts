import { runsImage } from './evidence.ts'
import type { HostReport } from './report.ts'
import type { ResolvedBarrier, ResolvedImage } from './wanted.ts'
import { compareVersions, isOlder } from './version-order.ts'

/** Version by digest, and by manifest digest, of every image that somebody named. */
export type Versions = Map<string, string>

export function learnVersion(versions: Versions, image: ResolvedImage | null): void {
  if (image === null || image.version === '') return
  for (const digest of [image.digest, ...Object.values(image.manifests)]) versions.set(digest, image.version)
}

/** What the host runs: its own account first, then what its digest is known as. Empty: nobody can say. */
export function versionOf(versions: ReadonlyMap<string, string>, report: HostReport): string {
  const { bootedDigest, bootedManifestDigest, bootedVersion } = report
  if (bootedVersion !== '') return bootedVersion
  return versions.get(bootedManifestDigest ?? '') ?? versions.get(bootedDigest ?? '') ?? ''
}

export type OnTheWay =
  | { readonly kind: 'Free' }
  | { readonly kind: 'Via'; readonly barrier: ResolvedBarrier }
  /** There is a barrier, and nobody knows on which side of it the host is. */
  | { readonly kind: 'Unknown'; readonly barrier: ResolvedBarrier }

/** What git writes there is always a version. */
function byVersion(a: ResolvedBarrier, b: ResolvedBarrier): number {
  return Number(isOlder(b.below, a.below)) - Number(isOlder(a.below, b.below))
}

/** The lowest barrier between what a host runs and where it is to go. */
export function nextOnTheWay(
  known: { readonly requires: readonly ResolvedBarrier[]; readonly versions: ReadonlyMap<string, string> },
  report: HostReport,
  target: ResolvedImage,
): OnTheWay {
  if (known.requires.length === 0 || runsImage(report, target)) return { kind: 'Free' }
  const version = versionOf(known.versions, report)
  const ascending = known.requires.toSorted(byVersion)
  // Whoever runs an image on the way is past its barrier, whatever its label says.
  const passed = ascending.findLastIndex(({ via }) => runsImage(report, via))
  for (const barrier of ascending.slice(passed + 1)) {
    if (isOlder(target.version, barrier.below) || barrier.via.digest === target.digest) continue
    const order = compareVersions(version, barrier.below)
    if (order === null) return { kind: 'Unknown', barrier }
    if (order === -1) return { kind: 'Via', barrier }
  }
  return { kind: 'Free' }
}
