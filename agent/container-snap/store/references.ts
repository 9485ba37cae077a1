import { SnapError } from '../errors.ts'

/** Where an image comes from, in the words of containers-transports(5). */
export type ImageSource =
  | { kind: 'registry'; repository: string; tag: string; digest: string | null }
  | { kind: 'local'; location: string }

const transports = [
  'containers-storage',
  'dir',
  'docker-archive',
  'docker-daemon',
  'oci',
  'oci-archive',
  'ostree',
  'sif',
  'tarball',
]

const digestPattern = /^sha256:[0-9a-f]{64}$/

/** Without a known transport it is a registry's image, as `docker://` in front says too. */
export function parseImageSource(url: string): ImageSource {
  const transport = transports.find(
    (candidate) => url.startsWith(`${candidate}:`) && !/^[^/]*:\d+\//.test(url),
  )
  if (transport !== undefined) return { kind: 'local', location: localLocation(transport, url) }
  const reference = url.replace(/^docker:\/\//, '')
  const at = reference.indexOf('@')
  const digest = at === -1 ? null : reference.slice(at + 1)
  const named = at === -1 ? reference : reference.slice(0, at)
  const colon = named.lastIndexOf(':')
  const tagged = colon > named.lastIndexOf('/')
  const path = tagged ? named.slice(0, colon) : named
  const tag = tagged ? named.slice(colon + 1) : 'latest'
  if (!/^[\w.:[\]/-]+$/.test(path) || path.startsWith('-') || tag === '') {
    throw new SnapError(
      'usage',
      `pull '${url}': not an image reference; write HOST/NAME:TAG or HOST/NAME@sha256:…`,
    )
  }
  if (digest !== null && !digestPattern.test(digest)) {
    throw new SnapError(
      'usage',
      `pull '${url}': '${digest}' is not a digest; write sha256: and 64 hex digits`,
    )
  }
  return { kind: 'registry', repository: withRegistry(path), tag, digest }
}

/** The original writes `oci-archive://FILE`, where containers/image has no slashes of its own. */
function localLocation(transport: string, url: string): string {
  const rest = url.slice(transport.length + 1)
  return `${transport}:${rest.startsWith('//') ? rest.slice(2) : rest}`
}

/** A name without a registry is Docker Hub's, as everywhere below `docker://`. */
export function withRegistry(path: string): string {
  const [first = '', ...rest] = path.split('/')
  if (rest.length === 0) return `docker.io/library/${path}`
  return /[.:]|^localhost$/.test(first) ? path : `docker.io/${path}`
}

export function registryReference(repository: string, digestOrTag: string): string {
  return digestPattern.test(digestOrTag) ? `${repository}@${digestOrTag}` : `${repository}:${digestOrTag}`
}

/** The name an archive's annotation gives its image; short ones are local ones. */
export function archiveImageName(annotation: string): string {
  const first = annotation.split('/')[0] ?? ''
  const withHost =
    annotation.includes('/') && /[.:]|^localhost$/.test(first) ? annotation : `localhost/${annotation}`
  const named = withHost.split('@')[0] ?? withHost
  return named.lastIndexOf(':') > named.lastIndexOf('/') ? withHost : `${withHost}:latest`
}
