import type { MessageInitShape } from '@bufbuild/protobuf'
import * as z from 'zod'
import type {
  JoinSchema,
  JoinTokenSchema,
  OperatorService,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { fingerprintOf } from '../../proto/join-token.ts'
import type { ListedRequest, TokenOrders, TokenWish } from '../joins/token-orders.ts'
import {
  REQUEST_LIFE_MS,
  TOKEN_LIFE_MAX_MS,
  TOKEN_LIFE_MIN_MS,
  TOKEN_USES_MAX,
  tokenStateOf,
} from '../joins/token-record.ts'
import type { TokenRecord } from '../joins/token-record.ts'
import type { Answering } from './answering.ts'
import { HostName, Labels, parsed, reasonFromWire, requiredReason } from './operator-requests.ts'

type Method = 'createToken' | 'listTokens' | 'revokeToken' | 'listJoins' | 'approveJoin' | 'denyJoin'

const KEPT_REASON_MAX = 200

const Wish: z.ZodType<TokenWish> = z
  .object({
    labels: Labels,
    lifeMs: z
      .bigint()
      .transform((ms) => (ms === 0n ? TOKEN_LIFE_MAX_MS : Number(ms)))
      .refine((ms) => ms >= TOKEN_LIFE_MIN_MS && ms <= TOKEN_LIFE_MAX_MS, 'a token lives from 1m to 1h'),
    uses: z
      .int()
      .max(TOKEN_USES_MAX, `a token lets in ${TOKEN_USES_MAX} hosts at most`)
      .transform((uses) => (uses === 0 ? 1 : uses)),
    autoApprovals: z.int().nonnegative(),
    replaces: z.string().max(64),
    returning: z.boolean(),
  })
  .refine(({ uses, autoApprovals }) => autoApprovals <= uses, {
    path: ['autoApprovals'],
    message: 'there are fewer uses',
  })
  .refine(({ returning, ...rest }) => !returning || isNothingElse(rest), {
    path: ['returning'],
    message: 'hosts come back as who they are: without labels, uses, approvals or a place to take',
  })

const Name = z.union([z.literal(''), HostName])

/** What operators do with tokens, and with the hosts that ask by them. */
export function joinHandlers(
  tokens: TokenOrders,
  unary: Answering,
): Pick<Handlers<typeof OperatorService>, Method> {
  return {
    createToken: unary('createToken', async ({ request, actor }) => {
      const { text, token } = await tokens.create(parsed('making a token', Wish, request), actor)
      return { tokenText: text, token: tokenView(token, Date.now()), message: sentence(token) }
    }),
    listTokens: unary('listTokens', async () => ({
      tokens: (await tokens.tokens()).map((token) => tokenView(token, Date.now())),
    })),
    revokeToken: unary('revokeToken', ({ request, actor }) =>
      tokens.revoke({
        id: request.tokenId,
        actor,
        reason: keptReason(requiredReason('revoking a token', request.reason)),
      }),
    ),
    listJoins: unary('listJoins', async () => ({ joins: (await tokens.requests()).map(joinView) })),
    approveJoin: unary('approveJoin', ({ request, actor }) => {
      const { name } = parsed('approving', z.object({ name: Name }), request)
      return tokens.approve({ request: request.host, name, actor, reason: keptReason(request.reason) })
    }),
    denyJoin: unary('denyJoin', ({ request, actor }) =>
      tokens.deny({
        request: request.host,
        actor,
        reason: keptReason(requiredReason('denying a request', request.reason)),
      }),
    ),
  }
}

/** Fifty of them must fit into one value of the store. */
function keptReason(reason: string): string {
  return reasonFromWire(reason).slice(0, KEPT_REASON_MAX)
}

function isNothingElse({ labels, uses, autoApprovals, replaces }: Omit<TokenWish, 'returning'>): boolean {
  return Object.keys(labels).length === 0 && uses === 1 && autoApprovals === 0 && replaces === ''
}

function sentence(token: TokenRecord): string {
  const { id, labels, uses, autoApprovals, expiresAtMs, replaces } = token
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  const hosts = uses === 1 ? '1 host' : `${uses} hosts`
  const auto = autoApprovals === 0 ? 'each needs approval' : `${autoApprovals} without approval`
  const until = new Date(expiresAtMs).toISOString()
  if (token.returning === true)
    return `hosts that are enrolled come back by their own key until ${until}; "enrol token revoke ${id}" ends it`
  const place = replaces === undefined ? '' : ` in the place of ${replaces.name}`
  return `token ${id} is for ${hosts}${place}, ${auto}, until ${until}, labels: ${pairs.join(', ') || 'none'}`
}

function tokenView(token: TokenRecord, nowMs: number): MessageInitShape<typeof JoinTokenSchema> {
  const { id, labels, createdBy, uses, autoApprovals, requests } = token
  return {
    id,
    labels: { ...labels },
    state: tokenStateOf(token, nowMs),
    createdBy,
    createdAtMs: BigInt(token.createdAtMs),
    expiresAtMs: BigInt(token.expiresAtMs),
    uses,
    used: requests.length,
    autoApprovals,
    replaces: token.replaces?.name ?? '',
    returning: token.returning ?? false,
  }
}

function joinView(request: ListedRequest): MessageInitShape<typeof JoinSchema> {
  const { hostId, name, token, decision, remark, from, requestedAtMs } = request
  return {
    hostId,
    fingerprint: fingerprintOf(hostId),
    hostName: name,
    labels: { ...token.labels },
    tokenId: token.id,
    state: decision?.kind ?? 'Waiting',
    requestedAtMs: BigInt(requestedAtMs),
    expiresAtMs: BigInt(requestedAtMs + REQUEST_LIFE_MS),
    from,
    message: remark,
    decidedBy: decision?.actor ?? '',
    reason: decision?.reason ?? '',
  }
}
