import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBindingsFile, openOperatorRoles, parseOperators } from './bindings-file.ts'
import { accountId } from './login-keys.ts'
import { hasRole } from './roles.ts'

const logger = pino({ level: 'silent' })
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-roles-'))
})
afterEach(() => rm(dir, { recursive: true }))

const bindings = (role: string): string =>
  `bindings:\n  - { who: [kim], role: ${role}, fleets: ["edge-*"] }\n`

const sshKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const operators = (...pairs: readonly string[]): string => {
  const lines = pairs.flatMap((name, at) =>
    at % 2 === 0 ? [`  - { name: "${name}", sshKeys: [${pairs[at + 1] ?? ''} of ${name}] }`] : [],
  )
  return ['operators:', ...lines, 'bindings: []', ''].join('\n')
}

describe('a file of roles', () => {
  it.each([
    [
      'a field that is unknown',
      'bindings: [{ who: [kim], role: view, fleets: ["*"], fleet: x }]',
      'Unrecognized key',
    ],
    ['a role that is unknown', bindings('root'), 'bindings.0.role'],
    [
      'a name that no operator can have',
      'bindings: [{ who: [Kim], role: view, fleets: [a] }]',
      'bindings.0.who.0',
    ],
    ['nobody', 'bindings: [{ who: [], role: view, fleets: [a] }]', 'bindings.0.who'],
    ['no fleet', 'bindings: [{ who: [kim], role: view, fleets: [] }]', 'bindings.0.fleets'],
    ['no bindings', '{}', 'bindings'],
    ['a key that may not log in', operators('kim', 'ssh-dss AAAAB3NzaC1kc3MAAAAA'), 'operators.0.sshKeys.0'],
    ['a key of everybody', operators('*', sshKey), 'operators.0.name'],
    [
      'an account of two people',
      'operators: [{ name: kim, oidcSubjects: [a] }, { name: lee, oidcSubjects: [a] }]\nbindings: []',
      'a key or account of lee is written twice',
    ],
    [
      'a key of two people',
      operators('kim', sshKey, 'lee', sshKey),
      'a key or account of lee is written twice',
    ],
    ['no YAML', 'bindings: [', 'it is no YAML'],
    ['a tag', 'bindings: [{ who: [kim], role: !admin view, fleets: [a] }]', 'Unresolved tag'],
    ['an alias', 'bindings: [{ who: &a [kim], role: view, fleets: *a }]', 'it is no YAML'],
  ])('is refused with %s', (_, text, found) => {
    expect(() => parseOperators(text, '/etc/operators.yaml')).toThrow(found)
  })

  it('names nobody who is not written', () => {
    const given = parseOperators(bindings('approve'), 'operators.yaml').bindings
    const asks = (who: string, fleet: string | null) => hasRole(given, who, { role: 'view', fleet })
    expect([asks('kim', 'edge-eu'), asks('kim', 'shop'), asks('kim', null), asks('lee', 'edge-eu')]).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(hasRole(given, 'kim', { role: 'admin', fleet: 'edge-eu' })).toBe(false)
  })

  it('says whose key is whose, and gives no role by that', () => {
    const given = parseOperators(operators('kim', sshKey), 'operators.yaml')
    expect(given).toMatchObject({ bindings: [], loginKeys: [{ operator: 'kim' }] })
    const account = 'operators: [{ name: lee, oidcSubjects: [lee@example.org] }]\nbindings: []'
    expect(parseOperators(account, 'operators.yaml').loginKeys).toEqual([
      { operator: 'lee', id: accountId('lee@example.org') },
    ])
    expect(parseOperators('bindings: []', 'operators.yaml').loginKeys).toEqual([])
  })

  it('is the one of the trust where the configuration names none, and without it admin may do everything', async () => {
    const before = await openOperatorRoles({ bindingsFile: undefined, pkiDir: dir, logger })
    expect(before.bindings()).toEqual([{ who: ['admin'], role: 'admin', fleets: ['*'] }])
    await writeFile(join(dir, 'operators.yaml'), bindings('view'))
    const found = await openOperatorRoles({ bindingsFile: undefined, pkiDir: dir, logger })
    expect(found.bindings()[0]?.who).toEqual(['kim'])
    await writeFile(join(dir, 'others.yaml'), bindings('operate'))
    const named = await openOperatorRoles({ bindingsFile: join(dir, 'others.yaml'), pkiDir: dir, logger })
    expect(named.bindings()[0]?.role).toBe('operate')
  })

  it('is followed as it changes, and a broken one changes nothing', async () => {
    const path = join(dir, 'operators.yaml')
    await writeFile(path, bindings('view'))
    const roles = await openBindingsFile({ path, logger, pollMs: 10 })
    const stop = new AbortController()
    const watching = roles.watch(stop.signal)
    const role = () => roles.bindings()[0]?.role
    await writeFile(path, 'bindings: nobody')
    await writeFile(path, bindings('operate'))
    await expect.poll(role, { timeout: 60_000 }).toBe('operate')
    await writeFile(path, 'bindings: nobody')
    expect(role()).toBe('operate')
    stop.abort()
    await watching
  })
})
