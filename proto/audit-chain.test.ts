import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openAuditReader, wrongInExport } from './audit-chain.ts'
import { AUDIT_BEGIN, auditHash, auditKeyOf, parseAuditEntry, sealAuditEntry } from './audit-entry.ts'
import type { AuditFact } from './audit-entry.ts'

const director = auditKeyOf(generateKeyPairSync('ed25519').privateKey)
const stranger = auditKeyOf(generateKeyPairSync('ed25519').privateKey)
const keys = new Map([[director.id, createPublicKey(director.privateKey)]])
const [own, other] = ['0b7cbb76-8d3b-4f0e-9f0a-2f3a6d1c0001', '0b7cbb76-8d3b-4f0e-9f0a-2f3a6d1c0002']

function chainOf(chain: string, facts: readonly AuditFact[], key = director): string[] {
  const lines: string[] = []
  for (const [index, fact] of facts.entries()) {
    const previous = index === 0 ? AUDIT_BEGIN : auditHash(lines.at(-1) ?? '')
    const at = new Date(1_000 * index).toISOString()
    lines.push(sealAuditEntry(fact, { chain, number: index + 1, previous, at }, key))
  }
  return lines
}

const orders = (count: number): AuditFact[] =>
  Array.from({ length: count }, (_, index) => ({
    actor: 'operator/kim',
    event: 'Halt',
    outcome: 'Done',
    fleet: `edge-${index}`,
  }))

/** An export of two chains, as a controller writes it. */
function exported(): string[] {
  const foreign = chainOf(other, orders(3))
  const mine = chainOf(own, orders(4))
  const reader = openAuditReader(keys)
  for (const line of [...foreign, ...mine]) expect(reader.take(line)).toBeNull()
  const end: AuditFact = {
    actor: 'operator/kim',
    event: 'ExportAudit',
    outcome: 'Done',
    heads: [...reader.heads()],
  }
  return [...foreign, ...chainOf(own, [...orders(4), end])]
}

/** The line at which it breaks and why; null when all of it is good. */
function found(lines: readonly string[], trusted: typeof keys | null = keys): string | null {
  const reader = openAuditReader(trusted)
  for (const [index, line] of lines.entries()) {
    const wrong = reader.take(line)
    if (wrong !== null) return `${index + 1}: ${wrong}`
  }
  return wrongInExport(reader)
}

describe('an export', () => {
  it('is good as it was written', () => expect(found(exported())).toBeNull())

  it('breaks at an entry that was changed', () => {
    const lines = exported()
    const changed = lines.with(4, lines[4]?.replace('edge-1', 'edge-9') ?? '')
    expect(found(changed)).toContain('5: entry 2 of chain 0b7cbb76 is not signed by a director key')
    expect(found(changed, null)).toContain('6: entry 3 of chain 0b7cbb76 names another entry before it')
  })

  it('breaks where an entry was taken out, or two changed places', () => {
    const lines = exported()
    expect(found(lines.toSpliced(4, 1))).toContain('5: entry 3 of chain 0b7cbb76 follows entry 1')
    expect(found(lines.with(4, lines[5] ?? '').with(5, lines[4] ?? ''))).toContain('5: entry 3')
    expect(found(lines.toSpliced(5, 0, lines[4] ?? ''))).toContain(
      '6: entry 2 of chain 0b7cbb76 follows entry 2',
    )
  })

  it('breaks where its tail or the tail of another chain was cut off', () => {
    const lines = exported()
    expect(found(lines.slice(0, -1))).toContain('the tail was cut off')
    expect(found(lines.slice(0, 2))).toContain('the tail was cut off')
    expect(found(lines.toSpliced(2, 1))).toContain('ends with entry 2, and the export ended with 3')
  })

  it('breaks where the beginning of a chain, or all of it, was taken out', () => {
    const lines = exported()
    expect(found(lines.slice(1))).toContain('begins with entry 2, and the export began with 1')
    expect(found(lines.slice(3))).toContain('is gone; it had entries 1 to 3')
    expect(found([])).toContain('it holds no entry')
  })

  it('breaks where somebody without the director key wrote it anew', () => {
    expect(found([...exported().slice(0, 3), ...chainOf(own, orders(5), stranger)])).toContain('4: entry 1')
  })

  it('breaks at anything that is spelled otherwise than an entry is', () => {
    const [line = ''] = exported()
    for (const text of [
      ` ${line}`,
      line.replace('{', '{ '),
      line.replace('"of":0', '"of":0.0'),
      '',
      '{}',
      'x',
    ]) {
      expect(parseAuditEntry(text)).toBeNull()
      expect(found([text])).toContain('1: it is no entry')
    }
    const twice = line.replace('"number":1,', '"number":2,"number":1,')
    expect(parseAuditEntry(twice)).toBeNull()
  })
})

describe('an anchor', () => {
  it('that was noted is found as long as its entry is there', () => {
    const lines = exported()
    const reader = openAuditReader(keys)
    const [noted, kept] = [auditHash(lines.at(-1) ?? ''), auditHash(lines[0] ?? '')]
    for (const line of lines.slice(0, -1)) reader.take(line)
    expect([reader.has(noted), reader.has(kept), reader.has(kept.slice(0, 12)), reader.has('')]).toEqual([
      false,
      true,
      true,
      false,
    ])
  })
})
