import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { CHAIN_FILE, chainText, parseChain, readChain } from '../../trust/chain-file.ts'
import type { TrustChain } from '../../trust/chain-file.ts'
import { TrustError } from '../../trust/errors.ts'
import { call } from '../client.ts'
import { writeWhole } from '../dev/state-file.ts'
import { isThere, natsUserKeyOf, readEnrolmentFile, writeIssued } from '../enrolment-files.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

export type Enrolment = {
  readonly name: string
  /** Holds `request.csr` and `nats.pub`; gets what the answer brings. The keys are never read. */
  readonly identity: string
  /** A chain of trust bundles whose first the host is to believe. Null: the controller's word is taken for it. */
  readonly trust: string | null
  readonly labels: Readonly<Record<string, string>>
  /** How long it may take the host to come; 0: it is there. */
  readonly joinWithinMs: number
}

/** The same key again is the same host: it gets a new certificate under the id it has. */
export async function runEnrol(session: Session, enrolment: Enrolment): Promise<ExitStatus> {
  const { name, identity, labels } = enrolment
  const certificateRequestPem = await readEnrolmentFile(
    'its certificate request',
    join(identity, 'request.csr'),
  )
  const natsUserPublicKey = await natsUserKeyOf(identity)
  const pinned = await readPinned(enrolment)
  return withClient(session, async (client) => {
    const joinWithinMs = BigInt(enrolment.joinWithinMs)
    const wanted = { certificateRequestPem, name, labels, natsUserPublicKey, joinWithinMs }
    const request = create(EnrolHostRequestSchema, wanted)
    const answer = await call(client, client.service.enrolHost, request)
    const trust = trustOf(answer.trustBundles, pinned)
    await writeWhole(join(identity, CHAIN_FILE), trust)
    await writeIssued(identity, answer)
    session.terminal.out(`${answer.hostId}\n`)
    session.terminal.note(`✔ host/${name} is enrolled; its certificate is in ${identity}\n`)
    return exitStatus.done
  })
}

/** What the host believes already, or is to believe, whatever the controller says. */
async function readPinned({ identity, trust }: Enrolment): Promise<TrustChain | null> {
  const path = trust ?? join(identity, CHAIN_FILE)
  if (trust === null && !(await isThere(path))) return null
  try {
    return await readChain(path)
  } catch (error) {
    if (error instanceof TrustError) throw new CliError('BadUsage', error.message, { cause: error })
    throw error
  }
}

function trustOf(bundles: readonly Uint8Array[], pinned: TrustChain | null): string {
  try {
    const given = parseChain(chainText(bundles), 'the controller')
    const [wanted, found] = [pinned?.envelopes[0], given.envelopes[0]]
    if (wanted === undefined || (found !== undefined && Buffer.compare(wanted, found) === 0)) {
      return chainText(given.envelopes)
    }
  } catch (error) {
    if (error instanceof TrustError) throw new CliError('ControllerRefused', error.message, { cause: error })
    throw error
  }
  throw new CliError(
    'ControllerRefused',
    'enrolling: the trust bundles of this controller do not begin with the one the host believes; nothing was written',
  )
}
