import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ControllerError } from '../errors.ts'

const LENGTH_MIN = 16

/** Read whenever it is needed, so that it can be exchanged. @throws ControllerError ConfigInvalid. */
export async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const message = `reading the secret file ${path}: ${cause.code ?? cause.message}; correct secretFile`
    throw new ControllerError('ConfigInvalid', message, { cause })
  })
  const secret = text.trim()
  if (secret.length >= LENGTH_MIN) return secret
  throw new ControllerError(
    'ConfigInvalid',
    `reading the secret file ${path}: it has fewer than ${LENGTH_MIN} characters; write a longer secret`,
  )
}

/** Takes as long whatever differs. */
export function isSame(left: string, right: string): boolean {
  return timingSafeEqual(sha256(left), sha256(right))
}

/** In hex: HMAC-SHA256 of the very bytes that came. */
export function signatureOf(body: Buffer, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex')
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
