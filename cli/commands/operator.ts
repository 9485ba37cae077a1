import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { IssueOperatorRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { makeCertificateRequest } from '../../trust/certificate-request.ts'
import { TrustError } from '../../trust/errors.ts'
import { writeAll } from '../../trust/write-all.ts'
import { call } from '../client.ts'
import { writeWhole } from '../dev/state-file.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'

/** The key stays where it is made; only the request travels. */
export async function runOperatorRequest(terminal: Terminal, dir: string): Promise<ExitStatus> {
  const { keyPem, certificateRequestPem } = await makeCertificateRequest()
  try {
    await writeAll(dir, [
      { path: 'operator.key', text: keyPem, secret: true },
      { path: 'request.csr', text: certificateRequestPem, secret: false },
    ])
  } catch (error) {
    if (error instanceof TrustError) throw new CliError('StateInvalid', error.message, { cause: error })
    throw error
  }
  terminal.note(
    `✔ ${join(dir, 'operator.key')} is secret; hand ${join(dir, 'request.csr')} to an admin, for "bootfleet operator issue"\n`,
  )
  return exitStatus.done
}

export type OperatorIssue = { readonly name: string; readonly identity: string; readonly lifeMs: number }

export async function runOperatorIssue(
  session: Session,
  { name, identity, lifeMs }: OperatorIssue,
): Promise<ExitStatus> {
  const path = join(identity, 'request.csr')
  const certificateRequestPem = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CliError('BadUsage', `reading the certificate request: ${String(cause)}`, { cause })
  })
  return withClient(session, async (client) => {
    const request = create(IssueOperatorRequestSchema, {
      certificateRequestPem,
      name,
      lifeMs: BigInt(lifeMs),
    })
    const answer = await call(client, client.service.issueOperator, request)
    await writeWhole(join(identity, 'ca.pem'), answer.certificateAuthorityPem)
    await writeWhole(join(identity, 'operator.pem'), answer.certificatePem)
    const until = new Date(Number(answer.expiresAtMs)).toISOString()
    session.terminal.note(
      `✔ operator ${name} is certified until ${until}, in ${identity}; give it roles in the controller's operators.bindingsFile\n`,
    )
    return exitStatus.done
  })
}
