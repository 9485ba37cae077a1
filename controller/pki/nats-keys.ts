import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TrustError } from '../../trust/errors.ts'
import { CONTROLLER_SIGNER_FILE, HOSTS_SIGNER_FILE } from '../../trust/nats-files.ts'
import { mintHostUser, mintOwnUser, parseSigner } from '../../trust/nats-keys.ts'
import type { NatsSigner, NatsUser } from '../../trust/nats-keys.ts'
import type { NatsRole } from '../../trust/nats-permissions.ts'
import { ControllerError } from '../errors.ts'

/** Who this process is to NATS; a user lasts a day, and the next one is made when it is needed. */
export type NatsIdentity = {
  readonly role: Exclude<NatsRole, 'host'>
  readonly account: string
  readonly mint: () => Promise<NatsUser>
}

/**
 * JWT by which a host may read its own plan, for the public key that it sent. Enrolment and renewal ask here.
 * @throws ControllerError RequestInvalid when the key is no public key of a NATS user.
 */
export type NatsUserFor = (hostId: string, publicUserKey: string, nowMs: number) => Promise<string>

/** @throws ControllerError ConfigInvalid when the file is missing or is another. */
export async function openNatsUserFor(dir: string, lifeMs: number): Promise<NatsUserFor> {
  const signer = await readSigner(join(dir, HOSTS_SIGNER_FILE))
  return async (hostId, publicKey, nowMs) => {
    try {
      return await mintHostUser(signer, { hostId, publicKey, nowMs, lifeMs })
    } catch (error) {
      throw error instanceof TrustError
        ? new ControllerError('RequestInvalid', error.message, { cause: error })
        : error
    }
  }
}

/** @throws ControllerError ConfigInvalid. */
export async function openNatsIdentity(dir: string): Promise<NatsIdentity> {
  return identityOf('controller', await readSigner(join(dir, CONTROLLER_SIGNER_FILE)))
}

/** @throws ControllerError ConfigInvalid. */
export async function openProvisioner(path: string): Promise<NatsIdentity> {
  return identityOf('provisioner', await readSigner(path))
}

function identityOf(role: NatsIdentity['role'], signer: NatsSigner): NatsIdentity {
  return { role, account: signer.account, mint: () => mintOwnUser(signer, role, Date.now()) }
}

async function readSigner(path: string): Promise<NatsSigner> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ControllerError(
      'ConfigInvalid',
      `reading ${path}: it cannot be read; bootfleet trust init makes it, with the accounts of the NATS server`,
      { cause },
    )
  })
  try {
    return parseSigner(text, path)
  } catch (error) {
    if (error instanceof TrustError) {
      throw new ControllerError('ConfigInvalid', error.message, { cause: error })
    }
    throw error
  }
}
