import { X509Certificate } from 'node:crypto'
import { LoginService } from '../proto/gen/bootfleet/v1/login_pb.ts'
import type { JoinedService } from './grpc/join-server.ts'
import { openKeptRefusals } from './grpc/kept-refusals.ts'
import type { AuditSink } from './grpc/kept-refusals.ts'
import { createLoginService } from './grpc/login-service.ts'
import { issueOperator } from './operators/issue.ts'
import { openLogins } from './operators/login.ts'
import type { ControllerOptions } from './options.ts'
import { isSshSigned } from './sources/ssh-signature.ts'

/** Logins of operators, for the listener that asks for no certificate; a controller that stands by serves them too. */
export function operatorLogins(options: ControllerOptions, audit: AuditSink): JoinedService {
  const { config, pki, roles, logger, signal } = options
  const keepRefusal = openKeptRefusals(audit)
  const logins = openLogins({
    roles,
    lifeMaxMs: config.operators.loginLife,
    serverCertificate: () => new X509Certificate(pki.server.certificatePem).raw,
    isSigned: (signed) => isSshSigned(signed, signal),
    accountOf: options.accounts,
    issue: (request) => issueOperator(pki.authority, request),
    append: (fact) => audit.append(fact),
    // All callers together: addresses cost nothing.
    refused: (fact) => keepRefusal('', fact),
  })
  const controllerAddress = config.join?.controllerAddress ?? ''
  return { service: LoginService, handlers: createLoginService(logins, { controllerAddress, logger }) }
}
