import { SnapError } from '../errors.ts'
import { readyImage } from '../store/acquire.ts'
import { parseImageSource, registryReference } from '../store/references.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { findSnapshot } from '../store/snapshots.ts'

/** The pristine subvolume of an image that is here: by its id, its digest, or as it was given to `pull`. */
export function imageOf(view: View, image: string, attempt: string): Snapshot {
  if (/^[0-9a-f]{64}$/.test(image)) return findSnapshot(view, image)
  const id = idOf(view, image)
  if (id !== undefined) return findSnapshot(view, id)
  throw new SnapError('not-found', `${attempt} ${image}: this image is not here; pull it first`)
}

function idOf(view: View, image: string): string | undefined {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return byDigest(view, image)
  const source = parseImageSource(image)
  const { images } = view.inventory.stored
  // An archive has no name of its own here; what its annotation said is one of the names.
  if (source.kind === 'local') return images.find((one) => one.names.includes(image))?.id
  const named = registryReference(source.repository, source.digest ?? source.tag)
  return (
    images.find((one) => one.names.includes(named))?.id ??
    (source.digest === null ? undefined : byDigest(view, source.digest))
  )
}

function byDigest(view: View, digest: string): string | undefined {
  return readyImage(view, digest)?.imageId
}
