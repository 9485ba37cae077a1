import { baseImage } from './base-image.ts'

/** Once, before the files that all need it run beside each other. */
export async function setup(): Promise<void> {
  await baseImage()
}
