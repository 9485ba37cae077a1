import type { ResolvedImage } from '../../controller/rollout/wanted.ts'

/** An image that exists nowhere but in a simulation. */
export function madeUpImage(repository: string, version: string): ResolvedImage {
  const digest = digestOf(`${repository}:${version}`)
  const manifests = { amd64: digestOf(`${version}/amd64`), arm64: digestOf(`${version}/arm64`) }
  return { repository, digest, version, manifests }
}

/** Readable at its beginning, and of the right form. */
function digestOf(name: string): string {
  let hex = ''
  for (const letter of name) hex += letter.charCodeAt(0).toString(16).padStart(2, '0')
  return `sha256:${hex.slice(-64).padEnd(64, '0')}`
}
