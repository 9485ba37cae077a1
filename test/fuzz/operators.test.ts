import { generateKeyPairSync } from 'node:crypto'
import { ControllerError } from '../../controller/errors.ts'
import { parseOperators } from '../../controller/operators/bindings-file.ts'
import { readToken, verifyToken } from '../../controller/operators/id-token.ts'
import { hasRoleSomewhere } from '../../controller/operators/roles.ts'
import { openAuditReader } from '../../proto/audit-chain.ts'
import { AUDIT_BEGIN, auditHash, auditKeyOf, sealAuditEntry } from '../../proto/audit-entry.ts'
import { ALGORITHMS, makeIssuerKeys, signToken } from '../support/oidc-issuer.ts'
import type { Algorithm } from '../support/oidc-issuer.ts'
import { fuzz, must, refusedAs } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

const director = generateKeyPairSync('ed25519')
const key = auditKeyOf(director.privateKey)
const sshKey = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'

fuzz('an audit log', () => {
  const chain = '0b7cbb76-8d3b-4f0e-9f0a-2f3a6d1c0001'
  const lines: string[] = []
  for (const event of ['Halt', 'Unhalt', 'ExportAudit']) {
    const previous = lines.length === 0 ? AUDIT_BEGIN : auditHash(lines.at(-1) ?? '')
    const fact = { actor: 'operator/kim', event, outcome: 'Done', reason: 'smoke "in" rack 3' } as const
    const place = { chain, number: lines.length + 1, previous, at: '2026-11-21T14:00:00.000Z' }
    lines.push(sealAuditEntry(fact, place, key))
  }
  return {
    seeds: [Buffer.from(lines.join('\n')), Buffer.from(lines[0] ?? '')],
    take: (input): Taken => {
      const reader = openAuditReader(new Map([[key.id, director.publicKey]]))
      for (const [index, line] of input.toString('utf8').split('\n').entries()) {
        if (reader.take(line) !== null) return 'refused'
        must(lines.includes(line), `line ${index + 1} was taken, and the director signed no such entry`)
      }
      return 'accepted'
    },
  }
})

fuzz('an ID token', () => {
  const nowMs = Date.parse('2026-11-21T14:00:00Z')
  const rules = { issuer: 'https://id.example', audience: 'bootfleet', subjectClaim: 'sub' }
  const times = { iat: nowMs / 1000, exp: nowMs / 1000 + 600 }
  const claims = { iss: rules.issuer, aud: rules.audience, sub: 'kim@example.org', ...times }
  const keys = makeIssuerKeys()
  const tokens = ALGORITHMS.map((algorithm) => signToken(claims, { algorithm, keys }))
  return {
    seeds: tokens.map((token) => Buffer.from(token)),
    take: (input): Taken => {
      const text = input.toString('latin1')
      const token = readToken(text)
      const named = token === null ? undefined : keys[token.keyId as Algorithm]?.publicKey
      if (token === null || named === undefined) return 'refused'
      const found = verifyToken(token, named.export({ format: 'jwk' }), { rules, nowMs })
      if (typeof found === 'string') return 'refused'
      must(tokens.includes(text), 'a token was taken that nobody signed')
      return 'accepted'
    },
  }
})

fuzz('roles of operators', () => ({
  seeds: [
    Buffer.from('bindings:\n  - { who: [kim, lee], role: approve, fleets: ["edge-*", shop] }\n'),
    Buffer.from('bindings: [{ who: ["*"], role: view, fleets: ["*"] }]\n'),
    Buffer.from(`operators: [{ name: kim, sshKeys: [ssh-ed25519 ${sshKey} kim@desk] }]\nbindings: []\n`),
  ],
  take: (input): Promise<Taken> =>
    refusedAs([ControllerError], () => {
      const text = input.toString('utf8')
      const { bindings, loginKeys } = parseOperators(text, 'the test')
      const isEveryone = bindings.some(({ who }) => who.includes('*'))
      must(
        isEveryone || !hasRoleSomewhere(bindings, 'nobody-who-is-written', 'view'),
        'somebody has a role that no line gives',
      )
      must(
        loginKeys.every(({ operator }) => text.includes(operator)),
        'somebody may log in who is not written',
      )
      return 'accepted'
    }),
}))
