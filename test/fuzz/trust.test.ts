import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createUser } from '@nats-io/nkeys'
import { ControllerError } from '../../controller/errors.ts'
import { readReturnRequest } from '../../controller/pki/return-request.ts'
import {
  keyIdOf,
  openPlan,
  preAuthenticationEncoding,
  sealPlan,
  PLAN_PAYLOAD_TYPE,
} from '../../proto/envelope.ts'
import { parseStrictJson } from '../../proto/strict-json.ts'
import type { TrustContent } from '../../proto/trust-bundle.ts'
import { openFirstBundle, openNextBundle, sealBundle } from '../../proto/trust-chain.ts'
import { planFor } from '../../agent/testing/plans.ts'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { hostIdOf } from '../../proto/identity.ts'
import { formatJoinToken, parseJoinToken } from '../../proto/join-token.ts'
import { returnSubject } from '../../proto/return-subject.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { chainText, parseChain } from '../../trust/chain-file.ts'
import { TrustError } from '../../trust/errors.ts'
import { fuzz, must, refusedAs } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
const ed25519 = (): Pair => generateKeyPairSync('ed25519')
const p256 = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const director = ed25519()

const meaningOf = (json: Uint8Array): string =>
  JSON.stringify(sorted(JSON.parse(Buffer.from(json).toString())))
const payloadOf = (envelope: Uint8Array): string =>
  (JSON.parse(Buffer.from(envelope).toString()) as { readonly payload: string }).payload

fuzz('the envelope of a plan', () => {
  const plans = [planFor('host-a', '1.0.0'), planFor('host-b', '2.0.0', { lint: 'Enforce', allow: [] })]
  const seeds = plans.map((plan) => sealPlan(plan, director.privateKey))
  const signed = new Set(seeds.map((seed) => meaningOf(seed)))
  return {
    seeds,
    take: (input): Taken => {
      const opened = openPlan(input, [director.publicKey])
      if (opened.kind === 'refused') return 'refused'
      // Spaces between the words of an envelope say nothing; each other byte must count.
      must(signed.has(meaningOf(input)), 'an envelope was taken that the director did not make')
      return 'accepted'
    },
  }
})

fuzz('a plan that the director signed, whatever it says', () => {
  const plan = planFor('host-a', '1.0.0', { allow: [], lint: 'Warn' })
  return {
    seeds: [Buffer.from(JSON.stringify(plan))],
    take: (payload): Taken => {
      const sig = sign(null, preAuthenticationEncoding(PLAN_PAYLOAD_TYPE, payload), director.privateKey)
      const signatures = [{ keyid: keyIdOf(director.publicKey), sig: sig.toString('base64') }]
      const body = { payloadType: PLAN_PAYLOAD_TYPE, payload: payload.toString('base64'), signatures }
      const opened = openPlan(Buffer.from(JSON.stringify(body)), [director.publicKey])
      if (opened.kind === 'refused') return 'refused'
      must(
        meaningOf(Buffer.from(JSON.stringify(opened.plan))) === meaningOf(payload),
        'the plan that was taken is not what its bytes say',
      )
      return 'accepted'
    },
  }
})

const roots = [ed25519(), p256(), ed25519()] as const
function contentOf(number: number): TrustContent {
  const keys = [...roots, director].map(({ publicKey }) => ({
    id: keyIdOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }))
  const none = { threshold: 1, keyIds: [] }
  const root = { threshold: 2, keyIds: roots.map(({ publicKey }) => keyIdOf(publicKey)) }
  return {
    version: 1,
    number,
    issuedAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2027-01-01T00:00:00.000Z',
    keys,
    roles: {
      root,
      director: { threshold: 1, keyIds: [keyIdOf(director.publicKey)] },
      release: none,
      approver: none,
    },
    certificateAuthorities: ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'],
  }
}
const sealed = (number: number): Buffer =>
  sealBundle(contentOf(number), [roots[0].privateKey, roots[1].privateKey, director.privateKey])
const bundles = [sealed(1), sealed(2), sealed(3)] as const
const signedBundles = new Set(bundles.map((bundle) => payloadOf(bundle)))

fuzz('the first trust bundle', () => ({
  seeds: [bundles[0]],
  take: (input): Taken => {
    // Whoever makes a first bundle may put his own keys into it; what is read must be what its bytes say.
    const opened = openFirstBundle(input)
    if (opened.kind === 'refused') return 'refused'
    must(signedBundles.has(payloadOf(input)), 'a bundle was taken that its root keys did not sign')
    return 'accepted'
  },
}))

fuzz('the next trust bundle', () => {
  const first = openFirstBundle(bundles[0])
  if (first.kind === 'refused') throw new Error(first.detail)
  return {
    seeds: [bundles[1]],
    take: (input): Taken => {
      const opened = openNextBundle(first.bundle, input)
      if (opened.kind === 'refused') return 'refused'
      must(payloadOf(input) === payloadOf(bundles[1]), 'a bundle was taken that the root keys did not sign')
      return 'accepted'
    },
  }
})

fuzz('a chain of trust bundles', () => ({
  seeds: [Buffer.from(chainText(bundles)), Buffer.from(chainText(bundles.slice(0, 2)))],
  take: (input): Promise<Taken> =>
    refusedAs([TrustError], () => {
      const { envelopes } = parseChain(input.toString('utf8'), 'the test')
      for (const envelope of envelopes) {
        must(signedBundles.has(payloadOf(envelope)), 'a chain was taken that the root keys did not sign')
      }
      return 'accepted'
    }),
}))

fuzz('a token to join with', () => {
  const parts = { id: 'abcdefgh27', secret: Buffer.alloc(32, 1), authoritySha256: Buffer.alloc(32, 2) }
  return {
    seeds: [Buffer.from(formatJoinToken(parts))],
    take: (input): Taken => {
      const token = parseJoinToken(input.toString('utf8'))
      if (token === null) return 'refused'
      must(formatJoinToken(token) === input.toString('utf8'), 'one token is written in two ways')
      return 'accepted'
    },
  }
})

fuzz('JSON that is to mean one thing', () => ({
  seeds: [
    Buffer.from('{"a":[1,{"b":"\\u0061\\"{","c":{}}],"a\\\\":null,"d":[[],{"a":"a"}]}'),
    Buffer.from(JSON.stringify(planFor('host-a', '1.0.0'))),
  ],
  take: (input): Taken => {
    const read = parseStrictJson(input)
    if (read === undefined) return 'refused'
    must(
      JSON.stringify(read) === JSON.stringify(JSON.parse(input.toString('utf8'))),
      'read as something else',
    )
    must(keysIn(input.toString('utf8')) === keysOf(read), 'a key is there more often than it was read')
    return 'accepted'
  },
}))

fuzz('a certificate request', async () => {
  const keys = [p256(), p256()]
  const ids = new Set(
    keys.map(({ publicKey }) => hostIdOf(publicKey.export({ type: 'spki', format: 'der' }))),
  )
  const authority = await openAuthority(await createAuthority())
  return {
    seeds: keys.map(({ privateKey }) => Buffer.from(createCertificateRequest(privateKey, 'host'))),
    take: (input): Promise<Taken> =>
      refusedAs([TrustError], async (): Promise<Taken> => {
        const { hostId } = await authority.issueHost(input.toString('utf8'), 60_000)
        must(ids.has(hostId), 'a certificate was issued for a key that signed no request')
        return 'accepted'
      }),
  }
})

fuzz('a request to come back', () => {
  const hosts = [p256(), p256()].map((keys) => ({ ...keys, user: createUser().getPublicKey() }))
  const known = new Map(
    hosts.map(({ publicKey, user }) => [hostIdOf(publicKey.export({ type: 'spki', format: 'der' })), user]),
  )
  return {
    seeds: hosts.map(({ privateKey, user }) =>
      Buffer.from(createCertificateRequest(privateKey, returnSubject(user))),
    ),
    take: (input): Promise<Taken> =>
      refusedAs([ControllerError], async (): Promise<Taken> => {
        const { hostId, natsUserPublicKey } = await readReturnRequest(input.toString('utf8'))
        must(known.get(hostId) === natsUserPublicKey, 'a host comes back as a NATS user that it did not sign')
        return 'accepted'
      }),
  }
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => sorted(each))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]))
}

/** Counted in the text by another way than the parser's: strings are emptied first, then every colon is one key. */
function keysIn(text: string): number {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').split(':').length - 1
}

function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value).reduce((sum: number, each) => sum + keysOf(each), 0)
  return Array.isArray(value) ? inner : inner + Object.keys(value).length
}
