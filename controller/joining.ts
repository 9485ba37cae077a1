import { startJoinServer } from './grpc/join-server.ts'
import type { JoinServer, JoinedService } from './grpc/join-server.ts'
import type { AuditSink } from './grpc/kept-refusals.ts'
import { operatorLogins } from './operator-logins.ts'
import { serverAuthorityOf } from './server-authority.ts'
import type { ControllerOptions } from './options.ts'
import { writeJoinAddress } from './state-directory.ts'

/** The listener for whoever has no certificate yet; null where none is configured. */
export async function startJoining(
  options: ControllerOptions,
  { audit, hosts }: { readonly audit: AuditSink; readonly hosts: JoinedService },
): Promise<JoinServer | null> {
  const { config, logger } = options
  if (config.join === undefined) return null
  const server = await startJoinServer({
    listen: config.join.listen,
    tls: () => joinTls(options),
    services: [hosts, operatorLogins(options, audit)],
  })
  await writeJoinAddress(config.stateDir, server.address)
  logger.info({ address: server.address }, 'listening for whoever has no certificate yet')
  return server
}

/** With the CA, which callers who know only its fingerprint could not find otherwise. */
function joinTls(options: ControllerOptions): { readonly keyPem: string; readonly certificatePem: string } {
  const { keyPem, certificatePem } = options.pki.server
  return { keyPem, certificatePem: `${certificatePem.trim()}\n${serverAuthorityOf(options).trim()}\n` }
}
