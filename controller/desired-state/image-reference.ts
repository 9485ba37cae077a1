import type { ImageReference } from './types.ts'

const registryHost =
  '(?:localhost|\\[[0-9a-fA-F:]+\\]|[a-zA-Z0-9-]+(?:\\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:))(?::[0-9]{1,5})?'
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'

/**
 * The host is never implied: a short name would mean different images on different machines.
 * It is `localhost`, a name with a dot, or a name with a port, so that `os/edge` is not taken for a host.
 */
export const repositoryPattern = new RegExp(`^${registryHost}(?:/${pathComponent})+$`)
export const maxRepositoryLength = 255
export const digestPattern = /^sha256:[a-f0-9]{64}$/
export const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

export function isRepository(text: string): boolean {
  return text.length <= maxRepositoryLength && repositoryPattern.test(text)
}

/** `HOST/PATH@sha256:…` or `HOST/PATH:TAG`; null when it is neither, or names both a tag and a digest. */
export function parseImageReference(text: string): ImageReference | null {
  const at = text.indexOf('@')
  if (at >= 0) {
    const repository = text.slice(0, at)
    const digest = text.slice(at + 1)
    const valid = isRepository(repository) && digestPattern.test(digest)
    return valid ? { kind: 'digest', repository, digest } : null
  }
  const colon = text.lastIndexOf(':')
  if (colon < text.lastIndexOf('/')) return null
  const repository = text.slice(0, colon)
  const tag = text.slice(colon + 1)
  return isRepository(repository) && tagPattern.test(tag)
    ? { kind: 'tag', repository, tag, minimumAgeMs: 0 }
    : null
}

/** Of a range and of a fleet that is followed this is only a name to show: they have no reference of their own. */
export function formatImageReference(image: ImageReference): string {
  switch (image.kind) {
    case 'digest':
      return `${image.repository}@${image.digest}`
    case 'tag':
      return `${image.repository}:${image.tag}`
    case 'semver':
      return `${image.repository} (versions ${image.range})`
    case 'fleet':
      return `what fleet ${image.fleet} runs`
  }
}

/** `localhost:5000/os/edge` is the host `localhost:5000` and the path `os/edge`. */
export function splitRepository(repository: string): { readonly host: string; readonly path: string } {
  const slash = repository.indexOf('/')
  return { host: repository.slice(0, slash), path: repository.slice(slash + 1) }
}
