import { decode, encodeAccount, encodeOperator } from '@nats-io/jwt'
import type { Account, OperatorLimits, SigningKey } from '@nats-io/jwt'
import { createAccount, createOperator, fromPublic } from '@nats-io/nkeys'
import type { KeyPair } from '@nats-io/nkeys'
import { PLAN_SUBJECTS } from '../proto/subjects.ts'
import { TrustError } from './errors.ts'
import type { NatsSigner } from './nats-keys.ts'
import { NATS_ROLES, PLAN_GET_SUBJECTS, permissionsOf } from './nats-permissions.ts'
import type { NatsRole } from './nats-permissions.ts'

/** JWTs of one deployment, as a server is given them: the operator and three accounts. Public. */
export type NatsAccounts = {
  readonly operator: string
  readonly system: string
  readonly control: string
  readonly hosts: string
}

type AccountJwts = Omit<NatsAccounts, 'operator'>

/** What names the accounts and who makes their users, without the keys. */
export type AccountIds = {
  readonly system: string
  readonly control: string
  readonly hosts: string
  readonly signers: Readonly<Record<NatsRole, string>>
  /** Of users: the time in seconds before which a JWT was issued that counts no more; `*` is every user. */
  readonly revoked: Readonly<Record<string, number>>
}

type Signers = Readonly<Record<NatsRole, NatsSigner>>

const UNLIMITED = -1
const NONE = 0
const CONTROL_CONNECTIONS_MAX = 32

/** What a new deployment needs; of the accounts' own keys nothing is kept, since nothing is ever signed by them. */
export async function makeNatsAccounts(): Promise<{
  readonly accounts: NatsAccounts
  readonly operatorKey: KeyPair
  readonly accountSigner: KeyPair
  readonly signers: Signers
}> {
  const [operatorKey, accountSigner] = [createOperator(), createOperator()]
  const [system, control, hosts] = [newId(), newId(), newId()]
  const signers = makeSigners({ control, hosts })
  const claims = {
    system_account: system,
    signing_keys: [accountSigner.getPublicKey()],
    // Without it, the account's own key could make users that no template holds.
    strict_signing_key_usage: true,
  }
  const operator = await encodeOperator('bootfleet', operatorKey, claims)
  const ids = {
    system,
    control,
    hosts,
    signers: publicKeysOf(signers),
    revoked: {},
  }
  const accounts = { operator, ...(await signAccounts(ids, accountSigner)) }
  return { accounts, operatorKey, accountSigner, signers }
}

export function makeSigners({ control, hosts }: Pick<AccountIds, 'control' | 'hosts'>): Signers {
  return {
    host: { account: hosts, key: createAccount() },
    controller: { account: control, key: createAccount() },
    provisioner: { account: control, key: createAccount() },
  }
}

export function publicKeysOf({ host, controller, provisioner }: Signers): AccountIds['signers'] {
  return {
    host: host.key.getPublicKey(),
    controller: controller.key.getPublicKey(),
    provisioner: provisioner.key.getPublicKey(),
  }
}

/** The accounts as this version wants them: a user made before has what its role may do now. */
export async function signAccounts(ids: AccountIds, accountSigner: KeyPair): Promise<AccountJwts> {
  const sign = (name: string, id: string, account: Account): Promise<string> =>
    encodeAccount(name, fromPublic(id), account, { signer: accountSigner })
  const { control, hosts } = ids
  return {
    // Nobody can become its user: it has no signing key.
    system: await sign('SYS', ids.system, { version: 2, limits: limitsOf({ conn: NONE }) }),
    control: await sign('CTRL', control, controlAccount(ids)),
    hosts: await sign('HOSTS', hosts, hostsAccount(ids)),
  }
}

/** @throws TrustError TrustInvalid when one of the JWTs is none of ours. */
export function readAccountIds({ system, control, hosts }: AccountJwts): AccountIds {
  const controlClaims = readAccount(control)
  const hostsClaims = readAccount(hosts)
  const keys = [...(controlClaims.nats.signing_keys ?? []), ...(hostsClaims.nats.signing_keys ?? [])]
  const signerOf = (role: NatsRole): string => {
    const found = keys.find((key) => typeof key !== 'string' && key.role === role)
    if (found !== undefined && typeof found !== 'string') return found.key
    throw new TrustError('TrustInvalid', `reading the NATS accounts: none has a signing key for a ${role}`)
  }
  const [host, controller, provisioner] = NATS_ROLES.map(signerOf)
  return {
    system: readAccount(system).sub,
    control: controlClaims.sub,
    hosts: hostsClaims.sub,
    signers: { host: host ?? '', controller: controller ?? '', provisioner: provisioner ?? '' },
    revoked: hostsClaims.nats.revocations ?? {},
  }
}

/** Whether both give the same accounts the same; a JWT also says when it was signed. */
export function isSame(one: AccountJwts, other: AccountJwts): boolean {
  const claims = ({ system, control, hosts }: AccountJwts): string =>
    JSON.stringify([system, control, hosts].map((jwt) => readAccount(jwt).nats))
  return claims(one) === claims(other)
}

function readAccount(jwt: string) {
  try {
    return decode<Account>(jwt)
  } catch (cause) {
    throw new TrustError('TrustInvalid', 'reading the NATS accounts: one of the JWTs is not whole', { cause })
  }
}

/** Owns every stream. Hosts see of it the plans' subjects, and the one request for the last plan. */
function controlAccount({ signers }: AccountIds): Account {
  return {
    version: 2,
    limits: limitsOf({ conn: CONTROL_CONNECTIONS_MAX, exports: UNLIMITED, ...jetStream(UNLIMITED) }),
    signing_keys: [scopeOf('controller', signers.controller), scopeOf('provisioner', signers.provisioner)],
    exports: [
      { name: 'plans', subject: PLAN_SUBJECTS, type: 'stream' },
      { name: 'last plan', subject: PLAN_GET_SUBJECTS, type: 'service', response_type: 'Singleton' },
    ],
  }
}

/** No JetStream. */
function hostsAccount({ control, signers, revoked }: AccountIds): Account {
  return {
    version: 2,
    limits: limitsOf({ conn: UNLIMITED, imports: UNLIMITED }),
    signing_keys: [scopeOf('host', signers.host)],
    imports: [
      { name: 'plans', subject: PLAN_SUBJECTS, account: control, type: 'stream' },
      { name: 'last plan', subject: PLAN_GET_SUBJECTS, account: control, type: 'service' },
    ],
    revocations: { ...revoked },
  }
}

/** Written out: what the library fills in would let users answer in the server's place. */
function scopeOf(role: NatsRole, key: string): SigningKey {
  return { kind: 'user_scope', key, role, template: permissionsOf(role) }
}

function limitsOf(changes: OperatorLimits): OperatorLimits {
  return {
    subs: UNLIMITED,
    data: UNLIMITED,
    payload: UNLIMITED,
    imports: NONE,
    exports: NONE,
    wildcards: true,
    conn: NONE,
    leaf: NONE,
    disallow_bearer: true,
    ...jetStream(NONE),
    ...changes,
  }
}

function jetStream(limit: number): OperatorLimits {
  return { mem_storage: NONE, disk_storage: limit, streams: limit, consumer: limit }
}

function newId(): string {
  return createAccount().getPublicKey()
}
