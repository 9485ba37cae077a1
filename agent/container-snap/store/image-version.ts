import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { StorePaths } from './paths.ts'

const VERSION_LABEL = 'org.opencontainers.image.version'
/** Configurations have some kilobytes; this bounds what is read, not what is good. */
const CONFIG_MAX_BYTES = 4 * 1024 * 1024
const VERSION_MAX_LENGTH = 256

/**
 * What an image says of its own version; empty where it says nothing, and where its configuration in the store is not
 * the one that its id, a hash over it, names: nobody may tell a version in the image's place.
 */
export async function imageVersion({ imagesFile }: StorePaths, imageId: string): Promise<string> {
  // containers/storage writes the name of what belongs to an image in base64 where it is no plain name.
  const name = `=${Buffer.from(`sha256:${imageId}`, 'utf8').toString('base64')}`
  const config = await readBounded(join(dirname(imagesFile), imageId, name)).catch(() => null)
  if (config === null || createHash('sha256').update(config).digest('hex') !== imageId) return ''
  const version = labelIn(config.toString('utf8'))
  return typeof version === 'string' && version.length <= VERSION_MAX_LENGTH ? version : ''
}

async function readBounded(path: string): Promise<Buffer | null> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    return size > CONFIG_MAX_BYTES ? null : await file.readFile()
  } finally {
    await file.close()
  }
}

function labelIn(text: string): unknown {
  try {
    const image = JSON.parse(text) as { config?: { Labels?: Record<string, unknown> | null } } | null
    return image?.config?.Labels?.[VERSION_LABEL]
  } catch {
    return undefined
  }
}
