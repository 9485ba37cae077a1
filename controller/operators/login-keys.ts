import { createHash } from 'node:crypto'

/** An SSH key or an account with which an operator may log in. */
export type LoginKey = {
  readonly operator: string
  /** As in the certificates that it brings: `ssh/` or `oidc/` and a SHA-256. */
  readonly id: string
}

export type SshKey = {
  /** Type and key, as they stand in authorized_keys. */
  readonly publicKey: string
  readonly id: string
}

/** Neither DSA nor short RSA keys; those with `sk-` live on a security key. */
const TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ssh-rsa',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]
const RSA_BITS_MIN = 3072
const LINE = /^(?<type>[a-z0-9@.-]{1,64}) +(?<key>[A-Za-z0-9+/]{16,4096}={0,2})(?: .*)?$/

/** Of a line TYPE KEY [COMMENT]; a sentence on what is wrong with it otherwise. */
export function parseSshKey(line: string): SshKey | string {
  const { type = '', key = '' } = LINE.exec(line.trim())?.groups ?? {}
  if (type === '') return 'it is not one line KEYTYPE KEY [COMMENT], without options'
  if (!TYPES.includes(type)) return `a key of type ${type} may not log in; known are ${TYPES.join(', ')}`
  const blob = Buffer.from(key, 'base64')
  if (blob.toString('base64') !== key) return 'its key is no base64 in its one spelling'
  const fields = fieldsOf(blob)
  if (fields?.[0]?.toString('latin1') !== type) return `its key is no ${type} key`
  if (type === 'ssh-rsa' && bitsOf(fields[2]) < RSA_BITS_MIN)
    return `an RSA key has at least ${RSA_BITS_MIN} bits`
  return { publicKey: `${type} ${key}`, id: `ssh/${sha256(blob)}` }
}

/** Of an account, as the issuer names it. */
export function accountId(subject: string): string {
  return `oidc/${sha256(Buffer.from(subject))}`
}

/** As ssh-keygen -l shows it. */
export function fingerprintOf({ id }: Pick<SshKey, 'id'>): string {
  const hash = Buffer.from(id.replace('ssh/', ''), 'hex')
  return `SHA256:${hash.toString('base64').replace(/=+$/, '')}`
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The parts of a key (RFC 4253, "string"); null when they do not fill it exactly. */
function fieldsOf(blob: Buffer): readonly Buffer[] | null {
  const fields: Buffer[] = []
  let at = 0
  while (at < blob.length) {
    const end = at + 4 + (at + 4 <= blob.length ? blob.readUInt32BE(at) : Infinity)
    if (end > blob.length) return null
    fields.push(blob.subarray(at + 4, end))
    at = end
  }
  return fields
}

function bitsOf(integer: Buffer | undefined): number {
  return integer === undefined ? 0 : BigInt(`0x0${integer.toString('hex')}`).toString(2).length
}
