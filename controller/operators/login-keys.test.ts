import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintOf, parseSshKey } from './login-keys.ts'

let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bootfleet-login-keys-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function makeKey(type: string, bits: string): { readonly line: string; readonly listed: string } {
  const file = join(dir, `${type}-${bits}`)
  execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-C', 'kim@desk', '-f', file])
  const listed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' })
  return { line: readFileSync(`${file}.pub`, 'utf8'), listed: listed.split(' ')[1] ?? '' }
}

/** As ssh-keygen would write it. */
function written(type: string, ...fields: readonly Buffer[]): string {
  const parts = [Buffer.from(type), ...fields].map((field) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(field.length)
    return Buffer.concat([length, field])
  })
  return `${type} ${Buffer.concat(parts).toString('base64')}`
}

const point = Buffer.alloc(32, 7)
const ed25519 = written('ssh-ed25519', point)
const onSecurityKey = written('sk-ssh-ed25519@openssh.com', point, Buffer.from('ssh:'))

describe('a key for logins', () => {
  it.each([
    ['ed25519', '256'],
    ['ecdsa', '256'],
    ['rsa', '3072'],
  ])('of ssh-keygen, %s with %s bits, is known by the fingerprint that ssh-keygen shows', (type, bits) => {
    const { line, listed } = makeKey(type, bits)
    const parsed = parseSshKey(line)
    if (typeof parsed === 'string') throw new Error(parsed)
    expect(fingerprintOf(parsed)).toBe(listed)
    expect(line.startsWith(`${parsed.publicKey} `)).toBe(true)
  })

  it('may live on a security key', () => {
    expect(parseSshKey(onSecurityKey)).toMatchObject({ publicKey: onSecurityKey })
  })

  it.each([
    ['a short RSA key', () => makeKey('rsa', '2048').line, 'at least 3072 bits'],
    ['a P-384 key', () => makeKey('ecdsa', '384').line, 'may not log in'],
    ['options before it', () => `cert-authority ${ed25519}`, 'without options'],
    ['an option with blanks', () => `command="rm -rf" ${ed25519}`, 'without options'],
    ['two lines', () => `${ed25519}\n${ed25519}`, 'not one line'],
    ['the bytes of another type', () => ed25519.replace('ssh-ed25519', 'ssh-rsa'), 'is no ssh-rsa key'],
    ['another spelling of its base64', () => onSecurityKey.replace(/.=$/, '/='), 'one spelling'],
    ['bytes that are cut off', () => written('ssh-ed25519').replace(/.{4}$/, ''), 'key'],
    ['nothing', () => '', 'not one line'],
  ])('is refused with %s', (_, line, found) => {
    expect(parseSshKey(line())).toContain(found)
  })
})
