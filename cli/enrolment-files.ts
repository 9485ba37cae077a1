import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createUser } from '@nats-io/nkeys'
import type { EnrolHostResponse } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { writeWhole } from './dev/state-file.ts'
import { CliError } from './errors.ts'

const PUBLIC_KEY_FILE = 'nats.pub'

/**
 * Public key of the host's NATS user. The host makes it beside its request; where its key was made by a person
 * before there is a host, the one for NATS is made here too.
 */
export async function natsUserKeyOf(identity: string): Promise<string> {
  const path = join(identity, PUBLIC_KEY_FILE)
  if (!(await isThere(path)) && (await isThere(join(identity, 'key.pem')))) {
    const key = createUser()
    const seed = `${Buffer.from(key.getSeed()).toString('utf8')}\n`
    await writeFile(join(identity, 'nats.key'), seed, { mode: 0o600, flag: 'wx' })
    await writeWhole(path, `${key.getPublicKey()}\n`)
  }
  return (await readEnrolmentFile('the public key of its NATS user', path)).trim()
}

/** What the answer brings, beside the request. The certificate comes last: the agent waits for it. */
export async function writeIssued(
  identity: string,
  answer: Pick<EnrolHostResponse, 'certificateAuthorityPem' | 'certificatePem' | 'natsUserJwt'>,
): Promise<void> {
  await writeWhole(join(identity, 'ca.pem'), answer.certificateAuthorityPem)
  await writeWhole(join(identity, 'nats.jwt'), `${answer.natsUserJwt}\n`)
  await writeWhole(join(identity, 'certificate.pem'), answer.certificatePem)
}

export async function readEnrolmentFile(what: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const found = error instanceof Error ? error.message : String(error)
    throw new CliError('BadUsage', `reading ${what}: ${found}`, { cause: error })
  })
}

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
