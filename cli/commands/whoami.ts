import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { create } from '@bufbuild/protobuf'
import { WhoAmIRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { identityNamedIn } from '../../proto/identity.ts'
import { call } from '../client.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderJson, renderYaml } from '../render/structured.ts'
import { renderTable } from '../render/table.ts'
import { loadContext, withClient } from '../session.ts'
import type { Session } from '../session.ts'

type WhoAmI = {
  readonly name: string
  readonly until: string
  /** SHA256:… of the SSH key that logged in, or `oidc`; `certificate` with one that an admin gave. */
  readonly by: string
  readonly roles: readonly { readonly role: string; readonly fleets: readonly string[] }[]
}

export function runWhoAmI(
  session: Session,
  { output }: { readonly output: 'table' | 'json' | 'yaml' },
): Promise<ExitStatus> {
  return withClient(session, async (client) => {
    const { name, roles } = await call(client, client.service.whoAmI, create(WhoAmIRequestSchema))
    const { certificate: path } = await loadContext(session)
    const certificate = new X509Certificate(await readFile(path))
    const found: WhoAmI = {
      name,
      until: new Date(certificate.validTo).toISOString(),
      by: proofIn(certificate),
      roles: roles.map(({ role, fleets }) => ({ role, fleets })),
    }
    const rendered = { table: tableOf, json: renderJson, yaml: renderYaml }
    session.terminal.out(rendered[output](found))
    return exitStatus.done
  })
}

function proofIn(certificate: X509Certificate): string {
  const identity = identityNamedIn(certificate)
  if (identity?.kind !== 'operator' || identity.login === undefined) return 'certificate'
  const [kind, hash = ''] = identity.login.split('/')
  return kind === 'ssh' ? `SHA256:${Buffer.from(hash, 'hex').toString('base64').replace(/=+$/, '')}` : 'oidc'
}

function tableOf({ name, until, by, roles }: WhoAmI): string {
  return renderTable([
    ['OPERATOR', 'ROLES', 'UNTIL', 'BY'],
    [name, roles.map(({ role, fleets }) => `${role}: ${fleets.join(',')}`).join('; '), until, by],
  ])
}
