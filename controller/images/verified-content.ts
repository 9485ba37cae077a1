import { ControllerError } from '../errors.ts'
import { ask, digestOfBody } from './registry-session.ts'
import type { Session } from './registry-session.ts'

/** What a digest names, whatever the registry claims it to be. */
export async function fetchVerified(
  session: Session,
  kind: 'manifests' | 'blobs',
  digest: string,
): Promise<string> {
  const { body } = await ask(session, 'GET', `${kind}/${digest}`)
  const actual = digestOfBody(body)
  if (actual === digest) return body.toString('utf8')
  throw invalid(
    session,
    `the registry gave content with digest ${actual} for ${digest}; push the image again`,
  )
}

export function interpret<T>(session: Session, digest: string, text: string, read: (text: string) => T): T {
  try {
    return read(text)
  } catch (error) {
    const message = `${digest} is no OCI or Docker image; push the image again`
    throw new ControllerError('ImageInvalid', `resolving ${session.name}: ${message}`, { cause: error })
  }
}

export function invalid(session: Session, found: string): ControllerError {
  return new ControllerError('ImageInvalid', `resolving ${session.name}: ${found}`)
}
