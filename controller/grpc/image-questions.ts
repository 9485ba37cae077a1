import { systemWord } from '../../proto/picture/running.ts'
import type { CatalogEntry } from '../image-catalog.ts'
import { ControllerError } from '../errors.ts'
import type { Estate, EstateHost } from '../rollout/estate.ts'

type Catalog = (digest: string) => CatalogEntry | null

/** Images by digest, and hosts by id that know no digest of what they run, only its name. */
export type Chosen = { readonly digests: ReadonlySet<string>; readonly hostIds: ReadonlySet<string> }

/** `unknown`: those of which nobody can say whether they contain it. */
export type Meant = { readonly found: Chosen; readonly unknown: Chosen }

const nothing: Chosen = { digests: new Set(), hostIds: new Set() }

const DIGEST = /^sha256:[a-f0-9]{64}$/
/** So many digits name a digest; fewer may as well be a version. */
const PREFIX = /^(?:sha256:)?([a-f0-9]{4,64})$/

/** Every digest of the estate, also those that only hosts know. */
export function digestsOf({ hosts, images }: Estate): ReadonlySet<string> {
  const held = hosts.flatMap(({ booted, next, previous, staged }) => [booted, next, previous, staged])
  return new Set([...images.keys(), ...held.filter((digest) => digest !== '')])
}

/**
 * The images that `text` names: a digest of an image or a manifest, or its beginning; REPOSITORY@DIGEST;
 * REPOSITORY:TAG; a version or a tag; or what a host that only reports calls what it runs. A whole digest that nobody
 * has is an answer too: no hosts.
 * @throws ControllerError RequestInvalid, NotFound.
 */
export function imagesNamed(estate: Estate, catalog: Catalog, text: string): Meant {
  const [repository = '', digest = ''] = text.split('@')
  if (DIGEST.test(digest)) {
    const found = byDigest(estate, catalog, (each) => each === digest)
    const elsewhere = [...found].every((each) => !isIn(estate, each, repository))
    if (found.size > 0 && elsewhere && [...found].some((each) => estate.images.has(each))) {
      throw new ControllerError(
        'NotFound',
        `looking for ${text}: that digest is not in ${repository}; leave the repository out`,
      )
    }
    return meaning(found)
  }
  if (DIGEST.test(text)) return meaning(byDigest(estate, catalog, (each) => each === text))
  const prefix = PREFIX.exec(text)?.[1]
  const begun =
    prefix === undefined
      ? new Set<string>()
      : byDigest(estate, catalog, (each) => each.startsWith(`sha256:${prefix}`))
  const digests = begun.size > 0 ? begun : byVersion(estate, catalog, text)
  const hostIds = new Set(estate.hosts.filter((host) => isCalled(host, text)).map(({ hostId }) => hostId))
  if (digests.size > 0 || hostIds.size > 0) return meaning(digests, hostIds)
  throw new ControllerError(
    'NotFound',
    `looking for ${JSON.stringify(text.slice(0, 200))}: no image that hosts have or fleets name has this digest, version or tag; "bootfleet images" lists them`,
  )
}

function meaning(digests: ReadonlySet<string>, hostIds: ReadonlySet<string> = new Set()): Meant {
  return { found: { digests, hostIds }, unknown: nothing }
}

function isIn(estate: Estate, digest: string, repository: string): boolean {
  return estate.images.get(digest)?.image.repository === repository
}

function byDigest(estate: Estate, catalog: Catalog, matches: (digest: string) => boolean): Set<string> {
  const found = new Set<string>()
  for (const digest of digestsOf(estate)) {
    const manifests = Object.values(estate.images.get(digest)?.image.manifests ?? {})
    const known = catalog(digest)?.platforms?.map(({ manifest }) => manifest) ?? []
    if ([digest, ...manifests, ...known].some(matches)) found.add(digest)
  }
  for (const { booted, bootedManifest } of estate.hosts) if (matches(bootedManifest)) found.add(booted)
  return found
}

function byVersion(estate: Estate, catalog: Catalog, text: string): Set<string> {
  const { repository, tag } = splitTag(text)
  const found = new Set<string>()
  for (const digest of digestsOf(estate)) {
    const image = estate.images.get(digest)?.image
    const names = [image?.version ?? '', ...(catalog(digest)?.tags ?? [])]
    if (names.includes(text)) found.add(digest)
    if (image?.repository === repository && names.includes(tag)) found.add(digest)
  }
  for (const host of estate.hosts) if (host.booted !== '' && callsIt(host, text)) found.add(host.booted)
  return found
}

/** A host that only reports may have booted an image that no fleet names, under a name of its own. */
function callsIt({ bootedVersion, reportOnly }: EstateHost, text: string): boolean {
  const reference = reportOnly?.imageReference ?? ''
  return [bootedVersion, reference, splitTag(reference).tag].includes(text)
}

/** As `callsIt`, or by what the list of images says of it, where there is no digest to go by. */
function isCalled(host: EstateHost, text: string): boolean {
  const { booted, reportOnly } = host
  return booted === '' && reportOnly !== null && (callsIt(host, text) || systemWord(reportOnly) === text)
}

/** A port of a registry is followed by a slash, a tag by nothing. */
export function splitTag(text: string): { readonly repository: string; readonly tag: string } {
  const colon = text.lastIndexOf(':')
  if (colon === -1 || text.includes('/', colon)) return { repository: '', tag: '' }
  return { repository: text.slice(0, colon), tag: text.slice(colon + 1) }
}

/**
 * The images that contain the layer or the base image `digest`, packed or unpacked: told by their layers, or by what
 * their builder noted.
 * @throws ControllerError RequestInvalid.
 */
export function imagesContaining(estate: Estate, catalog: Catalog, text: string): Meant {
  const digest = text.split('@').at(-1) ?? ''
  if (!DIGEST.test(digest)) {
    throw new ControllerError(
      'RequestInvalid',
      `looking for what contains ${JSON.stringify(text.slice(0, 200))}: write the whole digest of a layer or of a base image (sha256: and 64 hexadecimal digits)`,
    )
  }
  const layersOfBase = baseLayers(estate, catalog, digest)
  const digests = new Set<string>()
  const unknown = new Set<string>()
  for (const each of digestsOf(estate)) {
    const platforms = catalog(each)?.platforms ?? null
    if (platforms === null) {
      unknown.add(each)
      continue
    }
    const contains = platforms.some(
      ({ base, diffIds, layers }) =>
        base === digest ||
        layers.includes(digest) ||
        diffIds.includes(digest) ||
        layersOfBase.some((below) => below.every((layer, index) => diffIds[index] === layer)),
    )
    if (contains) digests.add(each)
  }
  const unread = estate.hosts.filter(({ booted, reportOnly }) => booted === '' && reportOnly?.imageReference)
  const hostIds = new Set(unread.map(({ hostId }) => hostId))
  return { found: { ...nothing, digests }, unknown: { digests: unknown, hostIds } }
}

/** Where the digest is that of an image of the estate: what lies lowest in all that was built on it. */
function baseLayers(estate: Estate, catalog: Catalog, digest: string): readonly (readonly string[])[] {
  return [...digestsOf(estate)].flatMap((each) =>
    (catalog(each)?.platforms ?? [])
      .filter(({ diffIds, manifest }) => (each === digest || manifest === digest) && diffIds.length > 0)
      .map(({ diffIds }) => diffIds),
  )
}

export type Hold = 'Booted' | 'BootsNext' | 'Staged' | 'Previous'

/** How a host has one of the images, the nearest first; null: it has none of them. */
export function holdOf(
  host: EstateHost,
  { digests, hostIds }: Chosen,
): { readonly hold: Hold; readonly digest: string } | null {
  if (hostIds.has(host.hostId)) return { hold: 'Booted', digest: '' }
  if (digests.has(host.booted)) return { hold: 'Booted', digest: host.booted }
  if (digests.has(host.next)) return { hold: 'BootsNext', digest: host.next }
  if (digests.has(host.staged)) return { hold: 'Staged', digest: host.staged }
  if (digests.has(host.previous)) return { hold: 'Previous', digest: host.previous }
  return null
}
