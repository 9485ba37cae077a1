import { createHash } from 'node:crypto'

/** One line of an allowed_signers file (ssh-keygen(1), "ALLOWED SIGNERS"). */
export type SshSigner = {
  readonly fingerprint: string
  /** 0: always. */
  readonly validAfterMs: number
  /** Infinity: for ever. */
  readonly validBeforeMs: number
}

const linePattern =
  /^(?:"[^"]+"|[^\s"]+)\s+(?:(?<options>[a-z][^\s"]*(?:"[^"]*"[^\s"]*)*)\s+)?(?<type>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)\s+(?<key>[A-Za-z0-9+/]+={0,2})(?:\s.*)?$/

/**
 * What git's ssh-keygen will read, read again: its fingerprints are compared, and validity is judged by our clock
 * too. Stricter: what it would pass over is a problem, said with its line.
 */
export function parseAllowedSigners(text: string): readonly SshSigner[] | string {
  const signers: SshSigner[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const bare = line.trim()
    if (bare === '' || bare.startsWith('#')) continue
    const signer = signerOf(bare)
    if (typeof signer === 'string') return `line ${index + 1}: ${signer}`
    signers.push(signer)
  }
  return signers.length === 0 ? 'it names nobody' : signers
}

function signerOf(line: string): SshSigner | string {
  const { options = '', type = '', key = '' } = linePattern.exec(line)?.groups ?? {}
  if (key === '') return 'it is not PRINCIPAL [OPTIONS] KEYTYPE KEY'
  const blob = Buffer.from(key, 'base64')
  const nameBytes = blob.length < 4 ? 0 : blob.readUInt32BE(0)
  if (blob.toString('latin1', 4, 4 + nameBytes) !== type) return `its key is no ${type} key`
  const hash = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')
  const validity = validityOf(options)
  return typeof validity === 'string' ? validity : { fingerprint: `SHA256:${hash}`, ...validity }
}

function validityOf(options: string): Omit<SshSigner, 'fingerprint'> | string {
  const validity = { validAfterMs: 0, validBeforeMs: Infinity }
  for (const option of options.match(/(?:[^,"]|"[^"]*")+/g) ?? []) {
    const [, name = '', value = ''] = /^([^=]+)(?:="?([^"]*)"?)?$/.exec(option) ?? []
    if (name === 'namespaces') continue
    if (name !== 'valid-after' && name !== 'valid-before') return `the option "${name}" is not supported`
    const atMs = timeOf(value)
    if (atMs === null) return `"${value}" is no time: write YYYYMMDD or YYYYMMDDHHMM[SS], in UTC`
    validity[name === 'valid-after' ? 'validAfterMs' : 'validBeforeMs'] = atMs
  }
  return validity
}

/** In UTC, with or without Z, as git's ssh-keygen is run with that zone. */
function timeOf(value: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?Z?$/.exec(value)
  if (match === null) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00'] = match
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(atMs) ? null : atMs
}
