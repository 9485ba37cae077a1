import { generateKeyPairSync } from 'node:crypto'
import { appendFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAuditReader } from '../../proto/audit-chain.ts'
import { parseAuditEntry } from '../../proto/audit-entry.ts'
import { openAuditLog } from './audit-log.ts'
import type { AuditLog, AuditLogOptions } from './audit-log.ts'

const { privateKey: directorKey } = generateKeyPairSync('ed25519')
let stateDir: string
let log: AuditLog

const open = (more: Partial<AuditLogOptions> = {}): Promise<AuditLog> =>
  openAuditLog({ stateDir, directorKey, logger: pino({ level: 'silent' }), ...more })

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'bootfleet-audit-'))
  log = await open()
})
afterEach(async () => {
  await log.close()
  await rm(stateDir, { recursive: true })
})

const fact = { actor: 'operator/kim', event: 'Halt', outcome: 'Done', fleet: 'edge' } as const

async function linesOf(of: AuditLog): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const line of of.lines()) lines.push(line)
  return lines
}
const numbers = (lines: readonly string[]) => lines.map((line) => parseAuditEntry(line)?.number)
const segment = async (): Promise<string> =>
  join(stateDir, 'audit', (await readdir(join(stateDir, 'audit'))).toSorted().at(-1) ?? '')

test('entries are numbered and chained in the order in which they were written, also at once', async () => {
  await Promise.all(Array.from({ length: 20 }, () => log.append(fact)))
  const lines = await linesOf(log)
  expect(numbers(lines)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  const reader = openAuditReader(null)
  expect(lines.map((line) => reader.take(line))).toEqual(lines.map(() => null))
  expect((await readFile(await segment(), 'utf8')).trimEnd().split('\n')).toEqual(lines)
})

test('a restart goes on with the chain', async () => {
  await log.append(fact)
  await log.close()
  log = await open()
  expect(await log.append(fact)).toBe(2)
  expect(numbers(await linesOf(log))).toEqual([1, 2])
  expect(numbers(log.recent())).toEqual([1, 2])
})

test('half a line that a power cut left goes, and the next entry follows the last whole one', async () => {
  await log.append(fact)
  await log.close()
  await appendFile(await segment(), '{"actor":"opera')
  log = await open()
  expect(await log.append(fact)).toBe(2)
  expect(numbers(await linesOf(log))).toEqual([1, 2])
})

test('segments are bounded, the oldest goes first, and what is left is still a chain', async () => {
  await log.close()
  log = await open({ limits: { segmentMaxBytes: 2_000, segmentsMax: 3 } })
  for (let entry = 0; entry < 20; entry += 1) await log.append(fact)
  expect(await readdir(join(stateDir, 'audit'))).toHaveLength(3)
  const lines = await linesOf(log)
  expect(numbers(lines).at(-1)).toBe(20)
  expect(numbers(lines)[0]).toBeGreaterThan(1)
  const reader = openAuditReader(null)
  expect(lines.map((line) => reader.take(line))).toEqual(lines.map(() => null))
})

test('a chain that somebody changed is put aside whole, and a new one begins with saying so', async () => {
  await log.append(fact)
  await log.append(fact)
  await log.close()
  const path = await segment()
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('operator/kim', 'operator/lee'))
  log = await open()
  const [entry, ...others] = (await linesOf(log)).map(parseAuditEntry)
  expect(others).toEqual([])
  expect(entry).toMatchObject({ event: 'AuditBroken', number: 1, actor: 'controller' })
  expect(entry?.message).toContain('was changed')
  const aside = (await readdir(stateDir)).filter((name) => name.startsWith('audit.broken-'))
  expect(aside).toHaveLength(1)
})
