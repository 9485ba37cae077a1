import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSshKey } from '../../test/support/signed-repository.ts'
import { isSshSigned } from './ssh-signature.ts'

const text = '{"what":"is signed"}'
const namespace = 'bootfleet-test'
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bootfleet-ssh-signature-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const judge = (signed: Parameters<typeof isSshSigned>[0]): Promise<boolean> =>
  isSshSigned(signed, new AbortController().signal)

function string(bytes: Buffer | string): Buffer {
  const value = Buffer.from(bytes as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(value.length)
  return Buffer.concat([length, value])
}

const sha256 = (bytes: Buffer | string): Buffer => createHash('sha256').update(bytes).digest()

/** As a security key and ssh-keygen make it together (OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f). */
function onSecurityKey(counter: number): { readonly publicKey: string; readonly signature: string } {
  const [type, application] = ['sk-ssh-ed25519@openssh.com', 'ssh:']
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const blob = Buffer.concat([string(type), string(point), string(application)])
  const about = Buffer.concat([string(namespace), string(''), string('sha256')])
  const signed = Buffer.concat([Buffer.from('SSHSIG'), about, string(sha256(text))])
  const touched = Buffer.from([1, 0, 0, 0, 7])
  const message = Buffer.concat([sha256(application), touched, sha256(signed)])
  const proof = Buffer.concat([string(type), string(sign(null, message, privateKey)), touched])
  proof[proof.length - 1] = counter
  const version = Buffer.from([0, 0, 0, 1])
  const whole = Buffer.concat([Buffer.from('SSHSIG'), version, string(blob), about, string(proof)])
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? []
  const signature = ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n')
  return { publicKey: `${type} ${blob.toString('base64')}`, signature }
}

describe('a signature outside of git', () => {
  it('counts by the key that made it, for its text and its purpose', async () => {
    const [kim, lee] = [makeSshKey(dir, 'kim'), makeSshKey(dir, 'lee')]
    const words = ['-Y', 'sign', '-q', '-f', kim.file, '-n', namespace]
    const signature = execFileSync('ssh-keygen', words, { input: text, encoding: 'utf8' })
    const good = { text, namespace, signature, publicKey: kim.publicKey }
    const judged = [good, { ...good, text: `${text} ` }, { ...good, namespace: 'git' }].map(judge)
    const byLee = judge({ ...good, publicKey: lee.publicKey })
    expect(await Promise.all([...judged, byLee])).toEqual([true, false, false, false])
  })

  it('counts by a security key too, with what the key itself says of it', async () => {
    expect(await judge({ text, namespace, ...onSecurityKey(7) })).toBe(true)
    expect(await judge({ text, namespace, ...onSecurityKey(8) })).toBe(false)
  })

  it('is waited for no longer than the controller runs', async () => {
    const signed = { text, namespace, ...onSecurityKey(7) }
    await expect(isSshSigned(signed, AbortSignal.abort(new Error('stopping')))).rejects.toThrow('stopping')
  })
})
