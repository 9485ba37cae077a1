import * as z from 'zod'

/** The image that a machine was booted from, as its own tools tell; what they do not is empty. */
export type BootedImage = {
  readonly reference: string
  /** Of the manifest for this machine's architecture. */
  readonly digest: string
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
}

const LABELS_MAX = 32
const LABELS_SIZE_MAX_BYTES = 4 * 1024
const DIGEST = /^sha256:[a-f0-9]{64}$/

const text = z.string().nullish()
const Digest = z.string().regex(DIGEST).nullish().catch(null)

/** Of `bootc status`, what is the same in every version since 1.0. */
const BootcStatus = z.object({
  status: z.object({
    booted: z
      .object({
        image: z
          .object({
            image: z.object({ image: z.string(), transport: text }),
            version: text,
            imageDigest: Digest,
          })
          .nullish(),
      })
      .nullish(),
  }),
})

/** Null: it was not booted from an image, or the program says nothing that can be read. */
export function readBootcStatus(output: string): BootedImage | null {
  const parsed = BootcStatus.safeParse(parseJson(output))
  const found = parsed.success ? parsed.data.status.booted?.image : null
  if (found == null) return null
  const { image, imageDigest, version } = found
  const { transport } = image
  const reference =
    transport == null || transport === '' || transport === 'registry'
      ? image.image
      : `${transport}:${image.image}`
  return { reference, digest: imageDigest ?? '', version: version ?? '', labels: {} }
}

const RpmOstreeStatus = z.object({
  deployments: z.array(
    z.object({
      booted: z.boolean().nullish(),
      version: text,
      'container-image-reference': text,
      'container-image-reference-digest': Digest,
      'base-commit-meta': z.record(z.string(), z.unknown()).nullish(),
    }),
  ),
})

/** As {@link readBootcStatus}. What was layered on the image is not told apart from it. */
export function readRpmOstreeStatus(output: string): BootedImage | null {
  const parsed = RpmOstreeStatus.safeParse(parseJson(output))
  const booted = parsed.success ? parsed.data.deployments.find((each) => each.booted === true) : undefined
  const reference = booted?.['container-image-reference'] ?? ''
  if (booted === undefined || reference === '') return null
  return {
    reference: withoutOrigin(reference),
    digest: booted['container-image-reference-digest'] ?? '',
    version: booted.version ?? '',
    labels: labelsOfConfig(booted['base-commit-meta']?.['ostree.container.image-config']),
  }
}

const Labels = z.record(z.string(), z.unknown())
const ImageConfig = z.object({ config: z.object({ Labels: Labels.nullish() }) })

/** It is JSON in a string of JSON. */
function labelsOfConfig(config: unknown): BootedImage['labels'] {
  const parsed = ImageConfig.safeParse(typeof config === 'string' ? parseJson(config) : config)
  return parsed.success ? bounded(parsed.data.config.Labels ?? {}) : {}
}

/** A file that some builders put into the image: its labels, as one JSON object. */
export function readLabelsFile(content: string): BootedImage['labels'] {
  const parsed = Labels.safeParse(parseJson(content))
  return parsed.success ? bounded(parsed.data) : {}
}

/** In one order, so that the same labels are the same report. */
function bounded(labels: Readonly<Record<string, unknown>>): BootedImage['labels'] {
  let sizeBytes = 0
  const kept = Object.entries(labels)
    .filter((label): label is [string, string] => typeof label[1] === 'string')
    .toSorted(([a], [b]) => Number(a > b) - Number(a < b))
    .map(([key, value]) => [key.slice(0, 128), value.slice(0, 256)] as const)
    .filter((label) => {
      sizeBytes += Buffer.byteLength(JSON.stringify(label))
      return sizeBytes <= LABELS_SIZE_MAX_BYTES
    })
  return Object.fromEntries(kept.slice(0, LABELS_MAX))
}

/** `ostree-remote-image:fedora:registry:quay.io/os:41` and its like: how it is verified is not what it is. */
function withoutOrigin(reference: string): string {
  return reference
    .replace(/^ostree-remote-(?:image|registry):[^:]+:/, '')
    .replace(/^ostree-(?:unverified-registry|unverified-image|image-signed):/, '')
    .replace(/^(?:registry:|docker:\/\/)/, '')
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}
