import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { encode, signedByPublicKey, startOidcIssuer } from '../test/support/oidc-issuer.ts'
import type { OidcIssuer } from '../test/support/oidc-issuer.ts'
import { openOidcAccounts } from './oidc-accounts.ts'
import type { Accounts } from './operators/accounts.ts'

let dir: string
let world: OidcIssuer
let stop: AbortController
let accountOf: Accounts

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-oidc-'))
  world = await startOidcIssuer(dir)
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true })
})
beforeEach(async () => {
  stop = new AbortController()
  accountOf = await accountsBy('sub')
})
afterEach(() => {
  stop.abort()
  world.asked.length = 0
  world.changed.clear()
})

function accountsBy(subjectClaim: string): Promise<Accounts> {
  const { issuer, caFile } = world
  return openOidcAccounts({ issuer, caFile, audience: 'bootfleet', subjectClaim }, stop.signal)
}

const now = () => Math.floor(Date.now() / 1000)

describe('an ID token', () => {
  it.each(['RS256', 'ES256', 'EdDSA'] as const)(
    'signed by %s says whose account it is',
    async (algorithm) => {
      expect(await accountOf(world.token(world.claims(), algorithm))).toEqual({ subject: 'kim@example.org' })
    },
  )

  it('may name its account by another claim, and an e-mail address only when it was verified', async () => {
    const byRef = await accountsBy('repository')
    expect(await byRef(world.token(world.claims({ repository: 'os/edge' })))).toEqual({ subject: 'os/edge' })
    expect(await byRef(world.token(world.claims()))).toBe('it has no claim repository')
    const byMail = await accountsBy('email')
    const email = 'kim@example.org'
    expect(await byMail(world.token(world.claims({ email })))).toBe('its e-mail address is not verified')
    const verified = world.claims({ email, email_verified: true })
    expect(await byMail(world.token(verified))).toEqual({ subject: email })
  })

  it('may be for several audiences when it was given to us', async () => {
    const claims = world.claims({ aud: ['bootfleet', 'shop'] })
    expect(await accountOf(world.token(claims))).toBe('it is for another audience')
    const given = { ...claims, azp: 'bootfleet' }
    expect(await accountOf(world.token(given))).toEqual({ subject: 'kim@example.org' })
  })

  it('is refused when it is not signed at all (alg none)', async () => {
    const unsigned = `${encode({ alg: 'none', kid: 'ES256' })}.${encode(world.claims())}`
    for (const token of [`${unsigned}.`, `${unsigned}.AAAA`]) {
      expect(await accountOf(token)).toContain('it is no ID token that is signed by')
    }
  })

  it('is refused when its secret is the public key (HS256)', async () => {
    for (const name of ['RS256', 'ES256', 'EdDSA'] as const) {
      const token = signedByPublicKey(world.claims(), world.keys[name].publicKey, { kid: name })
      expect(await accountOf(token)).toContain('it is no ID token that is signed by')
    }
  })

  it('is refused when it names the key of another algorithm', async () => {
    const token = world.token(world.claims(), 'ES256', { kid: 'RS256' })
    expect(await accountOf(token)).toBe('the issuer’s key of that name is none for ES256')
  })

  it.each([
    ['of another audience', () => ({ aud: 'shop' }), 'it is for another audience'],
    ['of another issuer', () => ({ iss: 'https://evil.example' }), 'it is of another issuer'],
    ['that has expired', () => ({ iat: now() - 900, exp: now() - 60 }), 'it has expired'],
    ['of the future', () => ({ iat: now() + 600, exp: now() + 900 }), 'it is of the future'],
    ['that does not count yet', () => ({ nbf: now() + 600 }), 'it is of the future'],
    ['without an end', () => ({ exp: undefined }), 'its claims are not those'],
    ['with an end that is no number', () => ({ exp: '9999999999' }), 'its claims are not those'],
    ['without an account', () => ({ sub: '' }), 'it has no claim sub'],
  ])('is refused when it is one %s', async (_, changes, found) => {
    expect(await accountOf(world.token(world.claims(changes())))).toContain(found)
  })

  it('is refused when a byte of it was changed, or it is spelled otherwise', async () => {
    const token = world.token(world.claims())
    const [header = '', claims = '', signature = ''] = token.split('.')
    const others = encode(world.claims({ sub: 'admin@example.org' }))
    expect(await accountOf(`${header}.${others}.${signature}`)).toBe('its signature is bad')
    for (const odd of [`${token}=`, `${token}.`, `${header}.${claims}`, '', 'a.b.c', 'x'.repeat(20_000)]) {
      expect(await accountOf(odd)).toContain('it is no ID token')
    }
    const crit = world.token(world.claims(), 'ES256', { crit: ['exp'] })
    expect(await accountOf(crit)).toContain('it is no ID token')
  })

  it('is refused the second time', async () => {
    const token = world.token(world.claims())
    expect(await accountOf(token)).toEqual({ subject: 'kim@example.org' })
    expect(await accountOf(token)).toBe('it was used before')
  })

  it('of a key that the issuer does not have is refused, and the issuer is not asked for each', async () => {
    for (const kid of ['a', 'b', 'c']) {
      const token = world.token(world.claims(), 'ES256', { kid })
      expect(await accountOf(token)).toBe('the issuer has no key of that name')
    }
    expect(world.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })
})

describe('an issuer', () => {
  const keys = (...list: readonly object[]) => ({ status: 200, body: JSON.stringify({ keys: list }) })

  it.each([
    ['that is away', '/keys', { status: 503, body: '' }],
    [
      'whose configuration names another',
      '/.well-known/openid-configuration',
      {
        status: 200,
        body: '{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}',
      },
    ],
    ['that sends elsewhere', '/keys', { status: 302, body: '' }],
    ['whose keys have no end', '/keys', { status: 200, body: `{"keys":[],"more":"${'x'.repeat(300_000)}"}` }],
    ['with keys that are none', '/keys', { status: 200, body: '{"keys":{}}' }],
  ])('%s lets nobody in', async (_, path, reply) => {
    world.changed.set(path, reply)
    const token = world.token(world.claims())
    await expect(accountOf(token)).rejects.toMatchObject({ code: 'IssuerUnreachable' })
  })

  it('whose key is short, of another use or another kind, lets nobody in by it', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
    const good = world.keys.RS256.publicKey.export({ format: 'jwk' })
    const lists = [
      short,
      { ...good, use: 'enc' },
      { ...good, alg: 'PS256' },
      { ...good, n: '' },
      { kty: 'oct', k: 'AAAA' },
    ]
    for (const key of lists) {
      world.changed.set('/keys', keys({ ...key, kid: 'RS256' }))
      const fresh = await accountsBy('sub')
      expect(await fresh(world.token(world.claims(), 'RS256'))).toBe(
        'the issuer’s key of that name is none for RS256',
      )
    }
  })

  it('is not believed with a certificate of a CA that was not named', async () => {
    const { issuer } = world
    const rules = { issuer, audience: 'bootfleet', subjectClaim: 'sub' }
    const trusting = await openOidcAccounts(rules, stop.signal)
    await expect(trusting(world.token(world.claims()))).rejects.toMatchObject({ code: 'IssuerUnreachable' })
  })
})
