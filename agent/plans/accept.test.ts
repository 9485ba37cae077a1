import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PLAN_PAYLOAD_TYPE, keyIdOf, preAuthenticationEncoding, sealPlan } from '../../proto/envelope.ts'
import type { Plan } from '../../proto/plan.ts'
import { toPlanSignature } from '../../proto/plan-signature.ts'
import type { PlanSignature } from '../../proto/plan-signature.ts'
import { makeSimpleSigning } from '../../proto/simple-signing.ts'
import { digestOf, planFor } from '../testing/plans.ts'
import { accept } from './accept.ts'
import type { AcceptContext } from './accept.ts'
import { toAcceptedPlan } from './accepted-plan.ts'

const director = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')
const HOST_ID = 'a'.repeat(26)
const MINUTE_MS = 60_000
const context: AcceptContext = {
  directorKeys: [director.publicKey],
  trustExpiresAtMs: null,
  release: null,
  hostId: HOST_ID,
  last: { fleet: 'edge', generation: 5, term: 3, counter: 10, payloadSha256: 'f'.repeat(64) },
  nowMs: Date.now(),
  timeFloorMs: 0,
}
const plan = (changes: Partial<Plan> = {}): Plan =>
  planFor(HOST_ID, '1.0.0', { generation: 5, term: 3, counter: 11, ...changes })
const seal = (changes: Partial<Plan> = {}): Buffer => sealPlan(plan(changes), director.privateKey)
const instant = (fromNowMs: number): string => new Date(context.nowMs + fromNowMs).toISOString()

/** Sealed as a director would, but over any text. */
function sealText(payload: string, payloadType = PLAN_PAYLOAD_TYPE): Buffer {
  const bytes = Buffer.from(payload)
  const signature = sign(null, preAuthenticationEncoding(payloadType, bytes), director.privateKey)
  const signatures = [{ keyid: keyIdOf(director.publicKey), sig: signature.toString('base64') }]
  return Buffer.from(JSON.stringify({ payloadType, payload: bytes.toString('base64'), signatures }))
}

describe('a plan that is accepted', () => {
  it('is signed by a director, for this host, newer and in force', () => {
    const wanted = plan()
    const accepted = accept(sealPlan(wanted, director.privateKey), context)
    expect(accepted).toMatchObject({
      kind: 'accepted',
      plan: wanted,
      payloadSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    })
  })

  it('is the first one at any generation and term', () => {
    expect(accept(seal({ counter: 1, term: 0, generation: 0 }), { ...context, last: null }).kind).toBe(
      'accepted',
    )
  })

  it('may be of an older generation when it is of another fleet', () => {
    expect(accept(seal({ fleet: 'lab', generation: 1 }), context).kind).toBe('accepted')
  })

  it('may come from a newer leader and after the largest jump', () => {
    expect(accept(seal({ term: 4, counter: 1_000_010 }), context).kind).toBe('accepted')
  })

  it('keeps its instants as milliseconds', () => {
    const wanted = plan({ activate: null })
    const kept = toAcceptedPlan(wanted, 'x', null)
    expect(kept).toMatchObject({ payloadSha256: 'x', activateUntilMs: null, counter: 11 })
    expect(kept.stageUntilMs).toBe(Date.parse(wanted.stage?.until ?? ''))
    expect(toAcceptedPlan(plan({ stage: null }), 'x', null)).toMatchObject({
      stageUntilMs: null,
      activateUntilMs: expect.any(Number) as number,
    })
  })
})

it('the same plan again, byte for byte, changes nothing', () => {
  const bytes = seal()
  const first = accept(bytes, context)
  const payloadSha256 = first.kind === 'accepted' ? first.payloadSha256 : ''
  const last = { fleet: 'edge', generation: 5, term: 3, counter: 11, payloadSha256 }
  expect(accept(bytes, { ...context, last })).toEqual({ kind: 'unchanged' })
})

const otherType = sealText(JSON.stringify(plan()), 'application/vnd.bootfleet.trust.v1+json')
const tampered = Buffer.from(
  seal()
    .toString()
    .replace(
      /"payload":"[^"]+"/,
      `"payload":"${Buffer.from(JSON.stringify(plan({ counter: 12 }))).toString('base64')}"`,
    ),
)
const twoSignatures = (() => {
  const envelope = JSON.parse(seal().toString()) as { signatures: unknown[] }
  return Buffer.from(
    JSON.stringify({ ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] }),
  )
})()
const duplicateKeys = sealText(JSON.stringify(plan()).replace('{', `{"hostId":"${'b'.repeat(26)}",`))
const tagged = JSON.stringify(plan()).replaceAll(digestOf('1.0.0'), 'stable')

describe('a plan is refused', () => {
  it.each<[string, Buffer, string]>([
    ['when it is too large', Buffer.alloc(64 * 1024 + 1), 'TooLarge'],
    ['when it is no envelope', Buffer.from('{}'), 'Malformed'],
    ['when it carries two signatures', twoSignatures, 'Malformed'],
    ['when it is of another type', otherType, 'UnknownPayloadType'],
    ['when an unknown key signed it', sealPlan(plan(), stranger.privateKey), 'UnknownKey'],
    ['when it was changed after it was signed', tampered, 'BadSignature'],
    ['when it names a key twice', duplicateKeys, 'Malformed'],
    ['when it names a tag instead of a digest', sealText(tagged), 'Malformed'],
    ['when it is for another host', seal({ hostId: 'b'.repeat(26) }), 'OtherHost'],
    ['when an older leader signed it', seal({ term: 2 }), 'OlderTerm'],
    ['when an older plan is replayed', seal({ counter: 9 }), 'OlderCounter'],
    ['when a counter is used for other content', seal({ counter: 10 }), 'CounterReused'],
    ['when the counter is far ahead', seal({ counter: 1_000_011 }), 'CounterJump'],
    ['when the counter is as far ahead as can be', seal({ counter: Number.MAX_SAFE_INTEGER }), 'CounterJump'],
    ['when it comes from the future', seal({ issuedAt: instant(6 * MINUTE_MS) }), 'IssuedInFuture'],
    ['when it has expired', seal({ expiresAt: instant(0) }), 'Expired'],
    ['when a rollout before the last one made it', seal({ generation: 4 }), 'OlderGeneration'],
    ['when its repository carries a tag', repository('r.example/os:latest'), 'DigestForm'],
    ['when its repository carries a digest', repository(`r.example/os@${digestOf('x')}`), 'DigestForm'],
    ['when its repository is an option', repository('--help/x'), 'DigestForm'],
    ['when its repository names no registry', repository('os'), 'DigestForm'],
    ['when it would start another init', seal({ kernelArguments: ['init=/bin/sh'] }), 'KernelArgument'],
    ['when it would hide a second argument', seal({ kernelArguments: ['a b=c'] }), 'KernelArgument'],
  ])('%s', (_why, bytes, refusal) => {
    expect(accept(bytes, context)).toMatchObject({
      kind: 'refused',
      refusal,
      detail: expect.any(String) as string,
    })
  })

  it('when it is the first and its counter is already far ahead', () => {
    const first = accept(seal({ counter: 1_000_001 }), { ...context, last: null })
    expect(first).toMatchObject({ refusal: 'CounterJump' })
  })

  it('when it has expired by what is signed, though the clock was set back', () => {
    const setBack = { ...context, nowMs: context.nowMs - 600 * MINUTE_MS, timeFloorMs: context.nowMs }
    const bytes = seal({ issuedAt: instant(-700 * MINUTE_MS), expiresAt: instant(-MINUTE_MS) })
    expect(accept(bytes, setBack)).toMatchObject({ refusal: 'Expired' })
  })

  it.each<[string, Partial<AcceptContext>]>([
    ['the clock', { trustExpiresAtMs: context.nowMs }],
    [
      'what is signed',
      { trustExpiresAtMs: context.nowMs + MINUTE_MS, timeFloorMs: context.nowMs + MINUTE_MS },
    ],
  ])('when the trust bundle has expired by %s', (_what, changes) => {
    const bytes = seal({ expiresAt: instant(5 * MINUTE_MS) })
    expect(accept(bytes, { ...context, ...changes })).toMatchObject({ refusal: 'TrustExpired' })
    const inForce = { ...context, ...changes, trustExpiresAtMs: context.nowMs + 2 * MINUTE_MS }
    expect(accept(bytes, inForce).kind).toBe('accepted')
  })

  it('when a newer bundle dropped the key that signed it, and not by the key that it names', () => {
    const newer = { ...context, directorKeys: [stranger.publicKey] }
    expect(accept(seal(), newer)).toMatchObject({ refusal: 'UnknownKey' })
    expect(accept(sealPlan(plan(), stranger.privateKey), newer).kind).toBe('accepted')
  })

  it('but with kernel arguments that git may name it is taken, and always where it grants nothing', () => {
    expect(accept(seal({ kernelArguments: ['mitigations=off'] }), context).kind).toBe('accepted')
    const nothing = { stage: null, activate: null, kernelArguments: ['init=/bin/sh'] }
    expect(accept(seal(nothing), context).kind).toBe('accepted')
  })

  it('in the fixed order, first the host, then the term, then the counter', () => {
    const wrong = { hostId: 'b'.repeat(26), term: 1, counter: 1, expiresAt: instant(-1) }
    expect(accept(seal(wrong), context)).toMatchObject({ refusal: 'OtherHost' })
    expect(accept(seal({ ...wrong, hostId: HOST_ID }), context)).toMatchObject({ refusal: 'OlderTerm' })
    expect(accept(seal({ ...wrong, hostId: HOST_ID, term: 3 }), context)).toMatchObject({
      refusal: 'OlderCounter',
    })
  })
})

function repository(name: string): Buffer {
  return seal({ image: { ...plan().image, repository: name } })
}

describe('on a host whose trust bundle names a release key', () => {
  const release = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const role = { threshold: 1, keys: [{ name: 'a1b2c3d4e5f6', key: release.publicKey }] }
  const strict: AcceptContext = { ...context, release: role }
  const signatures = (key = release.privateKey, image: Plan['image'] = plan().image): PlanSignature[] =>
    [toPlanSignature(makeSimpleSigning(image, key))].filter((each) => each !== null)
  const other = { ...plan().image, digest: digestOf('another') }

  it('a plan is followed whose image that key signed', () => {
    expect(accept(seal({ signatures: signatures() }), strict).kind).toBe('accepted')
  })

  it.each<[string, Partial<Plan>]>([
    ['carries no signature', {}],
    ['carries one by somebody else', { signatures: signatures(generateKeyPairSync('ed25519').privateKey) }],
    ['carries one by the director', { signatures: signatures(director.privateKey) }],
    ['carries that of another digest', { signatures: signatures(release.privateKey, other) }],
    ['only may be staged', { activate: null }],
    ['only may be activated', { stage: null }],
  ])('a plan is refused that %s, and it is said of which', (_why, changes) => {
    const wanted = plan(changes)
    expect(accept(sealPlan(wanted, director.privateKey), strict)).toEqual({
      kind: 'refused',
      refusal: 'ImageUnsigned',
      detail: expect.stringMatching(/asks for a signature by release key a1b2c3d4e5f6, and /) as string,
      plan: wanted,
    })
  })

  it('a plan gets through that takes back what was granted', () => {
    expect(accept(seal({ stage: null, activate: null }), strict).kind).toBe('accepted')
  })
})
