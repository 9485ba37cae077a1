import { resolve } from 'node:path'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Acquired } from '../store/acquire.ts'
import { acquireImage, readyImage } from '../store/acquire.ts'
import { imageVersion } from '../store/image-version.ts'
import type { Blob, Manifest } from '../store/manifest.ts'
import { machineArchitecture } from '../store/manifest.ts'
import type { ImageSource } from '../store/references.ts'
import { archiveImageName, parseImageSource, registryReference } from '../store/references.ts'
import { changeStore, openView, recordLedger } from '../store/session.ts'
import { archiveAnnotation, inspectManifest } from '../store/skopeo.ts'

export type PullOptions = { progress: boolean; quiet: boolean; stallMs: number }

/** Prints nothing by itself, as the original: its only output was a progress bar. */
export async function pull(context: Context, url: string, options: PullOptions): Promise<string> {
  const acquired = await pullSource(context, parseImageSource(url), options)
  if (context.json || options.progress) {
    const version = await imageVersion(context.paths, acquired.imageId)
    return jsonLine({ event: 'pulled', ...acquired, version })
  }
  return options.quiet ? `${acquired.imageId}\n` : ''
}

export type LoadOptions = PullOptions & { input: string | undefined }

export async function load(context: Context, url: string | undefined, options: LoadOptions): Promise<string> {
  if (options.input !== undefined) return pull(context, `oci-archive:${resolve(options.input)}`, options)
  if (url !== undefined) return pull(context, url, options)
  throw new SnapError('usage', 'load: either a URL or --input FILE must be provided')
}

/** The image with what is known of it, ready to be used. */
export async function pullSource(
  context: Context,
  source: ImageSource,
  options: PullOptions,
): Promise<Acquired> {
  switch (source.kind) {
    case 'registry':
      return pullFromRegistry(context, source, options)
    case 'local':
      return pullFromLocal(context, source.location, options)
  }
}

type RegistrySource = Extract<ImageSource, { kind: 'registry' }>

async function pullFromRegistry(
  context: Context,
  source: RegistrySource,
  { progress, stallMs }: PullOptions,
): Promise<Acquired> {
  if (source.digest !== null) {
    const ready = await alreadyHere(context, source.digest)
    if (ready !== null) return ready
  }
  const asked = registryReference(source.repository, source.digest ?? source.tag)
  const manifest = await inspectManifest(context, `docker://${asked}`)
  if (source.digest !== null && manifest.digest !== source.digest) {
    throw new SnapError(
      'verification-failed',
      `pull ${asked}: the registry served ${manifest.digest} under that digest`,
    )
  }
  return acquireImage(context, {
    // Pinned to what was just read: a tag may move between the two requests.
    source: `docker://${registryReference(source.repository, manifest.digest)}`,
    target: asked,
    manifest,
    blobs: progress ? await blobsOf(context, source.repository, manifest) : [],
    progress,
    stallMs,
  })
}

/**
 * Asked again by digest, nothing needs the network. The digest asked for last is the one shown, and the image is the
 * newest again: `gc` must not take it before it is deployed.
 */
async function alreadyHere(context: Context, digest: string): Promise<Acquired | null> {
  const ready = readyImage(await openView(context), digest)
  if (ready === null) return null
  return changeStore(context, async ({ ledger, ...view }) => {
    const still = readyImage({ ...view, ledger }, digest)
    const record = ledger.images.find((image) => image.imageId === still?.imageId)
    if (still === null || record === undefined) return still
    const digests = [...record.digests.filter((other) => other !== digest), digest]
    const asked = { ...record, digests, readyAt: new Date().toISOString() }
    const images = ledger.images.map((image) => (image === record ? asked : image))
    await recordLedger(context, { ...ledger, images })
    return still
  })
}

async function blobsOf(context: Context, repository: string, manifest: Manifest): Promise<readonly Blob[]> {
  if (manifest.kind === 'manifest') return manifest.blobs
  const architecture = machineArchitecture()
  const entry = manifest.manifests.find((one) => one.architecture === architecture && one.os === 'linux')
  if (entry === undefined) {
    const offered = manifest.manifests.map((one) => `${one.os}/${one.architecture}`).join(', ')
    throw new SnapError(
      'pull-failed',
      `pull ${repository}: no image for linux/${architecture}, only ${offered}`,
    )
  }
  const ours = await inspectManifest(context, `docker://${registryReference(repository, entry.digest)}`)
  return ours.kind === 'manifest' ? ours.blobs : []
}

async function pullFromLocal(context: Context, location: string, options: PullOptions): Promise<Acquired> {
  const { progress, stallMs } = options
  const manifest = await inspectManifest(context, location)
  const name = await localName(context, location)
  if (name === null && manifest.kind === 'index') {
    throw new SnapError('pull-failed', `load ${location}: an index without a name; give it one and try again`)
  }
  const unnamed = manifest.kind === 'manifest' ? `@${manifest.configDigest.replace(/^sha256:/, '')}` : ''
  const blobs = manifest.kind === 'manifest' ? manifest.blobs : []
  return acquireImage(context, {
    source: location,
    target: name ?? unnamed,
    manifest,
    blobs,
    progress,
    stallMs,
  })
}

async function localName(context: Context, location: string): Promise<string | null> {
  const file = /^oci-archive:([^:]+)/.exec(location)?.[1]
  if (file === undefined) return null
  const annotation = await archiveAnnotation(context, file)
  return annotation === null ? null : archiveImageName(annotation)
}
