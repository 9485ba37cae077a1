import { X509Certificate } from 'node:crypto'
import { JoinService } from '../proto/gen/bootfleet/v1/join_pb.ts'
import { authoritySha256Of } from '../proto/join-token.ts'
import { stateOf } from './engine-state.ts'
import { ControllerError } from './errors.ts'
import { openJoinLimits, openReturnLimits } from './grpc/join-limits.ts'
import type { JoinedService } from './grpc/join-server.ts'
import { createJoinService } from './grpc/join-service.ts'
import { openKeptRefusals } from './grpc/kept-refusals.ts'
import type { AuditSink } from './grpc/kept-refusals.ts'
import type { HostEnrolments } from './host-enrolments.ts'
import { openJoinBook } from './joins/join-book.ts'
import { openJoiningHosts } from './joins/joining-hosts.ts'
import type { Issued, JoinCall } from './joins/joining-hosts.ts'
import { openReturning } from './joins/returning.ts'
import { openTokenOrders } from './joins/token-orders.ts'
import type { TokenOrders } from './joins/token-orders.ts'
import { openTokenSeal } from './joins/token-seal.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import { hostIdOfRequest } from './pki/pki-directory.ts'
import { readReturnRequest } from './pki/return-request.ts'
import { serverAuthorityOf } from './server-authority.ts'
import { openTurns } from './turns.ts'

export type HostJoinsParts = {
  readonly leading: () => Leading
  readonly hostEnrolments: HostEnrolments
  readonly audit: AuditSink
}

/** Hosts that join with a token: what they are answered, and what operators do about it, one after the other. */
export function openHostJoins(
  options: ControllerOptions,
  { leading, hostEnrolments, audit }: HostJoinsParts,
): { readonly service: JoinedService; readonly tokens: TokenOrders } {
  const { store, config, pki, signal, logger } = options
  const { seal, isSealed } = openTokenSeal(pki.directorKey)
  const keepRefusal = openKeptRefusals(audit)
  const parts = {
    book: openJoinBook({
      load: () => store.tokens.load(signal),
      put: (record) => store.tokens.put(record, signal),
      isSealed,
      term: () => leading().term,
    }),
    inTurn: openTurns(),
    enrolments: () => engineOf(leading()).enrolments(),
    enrolmentOf: (hostId: string) => engineOf(leading()).enrolment(hostId),
    admit: hostEnrolments.admit,
    retire: hostEnrolments.retire,
    issue: (call: JoinCall) => issue(options, call),
    audit: {
      append: (fact: Parameters<AuditSink['append']>[0]) => audit.append(fact),
      refused: (fact: Parameters<AuditSink['append']>[0]) => keepRefusal('', fact),
    },
    now: Date.now,
  }
  const handlers = createJoinService(
    {
      hostIdOfRequest,
      join: openJoiningHosts(parts),
      returnRequest: readReturnRequest,
      comeBack: openReturning({ ...parts, issue: (call) => issue(options, call) }),
      trustBundles: () => options.trustFile.after(0),
      limits: openJoinLimits(),
      returnLimits: openReturnLimits(),
      addresses: {
        controllerAddress: config.join?.controllerAddress ?? '',
        natsUrl: config.join?.natsUrl ?? '',
      },
    },
    logger,
  )
  const authoritySha256 = (): Uint8Array => {
    if (config.join !== undefined) return authoritySha256Of(new X509Certificate(serverAuthorityOf(options)))
    const found = 'the controller has no listener for hosts that join; write join.listen in its configuration'
    throw new ControllerError('RequestInvalid', `making a token: ${found}`)
  }
  return {
    service: { service: JoinService, handlers },
    tokens: openTokenOrders({ ...parts, authoritySha256, seal }),
  }
}

/** Before the store is read nobody is known, and a known name would look new. @throws ControllerError NotLeader. */
function engineOf({ engine }: Leading): Leading['engine'] {
  stateOf(engine)
  return engine
}

async function issue(
  { pki, natsUserFor, trustFile, config }: ControllerOptions,
  { certificateRequestPem, natsUserPublicKey }: Pick<JoinCall, 'certificateRequestPem' | 'natsUserPublicKey'>,
): Promise<Issued> {
  const lifetimeMs = config.pki.hostCertificateLife
  const { hostId, certificatePem } = await pki.authority.issueHost(certificateRequestPem, lifetimeMs)
  return {
    certificatePem,
    certificateAuthorityPem: pki.authority.certificatePem,
    trustBundles: [...trustFile.after(0)],
    natsUserJwt: await natsUserFor(hostId, natsUserPublicKey, Date.now()),
  }
}
