import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cliReference } from '../cli/reference.ts'
import { VERSION } from '../proto/version.ts'

/** What no linter here can judge. */

const root = join(import.meta.dirname, '..')
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const sources = files.filter((file) => file.endsWith('.ts') && !file.startsWith('proto/gen/'))
const documents = files.filter((file) => file.endsWith('.md'))

test('there is something to judge', () => {
  expect(sources.length).toBeGreaterThan(50)
  expect(documents.length).toBeGreaterThan(5)
})

test('no source file is longer than 250 lines', () => {
  const long = sources.filter((file) => read(file).split('\n').length > 251)
  expect(long).toEqual([])
})

test('no file or folder has a name that says nothing', () => {
  const nameless = /(^|\/)(utils?|helpers?|common|misc|shared|lib|index)(\.ts)?(\/|$)/
  expect(sources.filter((file) => nameless.test(file))).toEqual([])
})

test('nothing is left for later and nothing is silenced', () => {
  const loose =
    /\b(TODO|FIXME|XXX)\b|@ts-(ignore|expect-error)|\bas any\b|: any\b|vi\.mock\(|\.(skip|only|todo)\(/
  const offenders = sources.filter((file) => file !== 'test/architecture.test.ts' && loose.test(read(file)))
  expect(offenders).toEqual([])
})

test('no limit hangs on a signal that Node 20 may collect before it fires', () => {
  const offenders = sources.filter((file) => /any\(\[[^\]]*AbortSignal\.timeout/.test(read(file)))
  expect(offenders).toEqual([])
})

test('no module keeps mutable state of its own', () => {
  const offenders = sources.filter(
    (file) => !file.endsWith('.test.ts') && /^(export )?(let|var) /m.test(read(file)),
  )
  expect(offenders).toEqual([])
})

test('no enum, parameter property or default export is declared', () => {
  const banned =
    /^(export )?(const )?enum |constructor\((?:[^)]*,)?\s*(private|public|protected|readonly)\s|^export default /m
  const offenders = sources.filter((file) => file !== 'vitest.config.ts' && banned.test(read(file)))
  expect(offenders).toEqual([])
})

test('every document has exactly one title', () => {
  for (const document of documents) {
    const text = read(document).replaceAll(/^```[\s\S]*?^```/gm, '')
    expect([document, text.match(/^# /gm)?.length]).toEqual([document, 1])
  }
})

test('the programs say the version of the package', () => {
  const { version } = JSON.parse(read('package.json')) as { readonly version: string }
  expect(VERSION).toBe(version)
})

test('the CLI reference is what the program says, as `make generate` writes it', () => {
  expect(read('docs/cli-reference.md')).toBe(cliReference())
})

test('the glossary names every word that the store uses for its buckets', () => {
  const architecture = read('docs/architecture.md')
  for (const bucket of ['fleets', 'rollouts', 'grants', 'hosts', 'enrolment', 'lease']) {
    expect(architecture).toContain(`| \`${bucket}\` |`)
  }
})

test('every attack that docs/security.md names is tried by a test of that name', () => {
  const rows = [...read('docs/security.md').matchAll(/^\| [^|\n]+ \| `([^`\n]+\.test\.ts)`: ([^|\n]+) \|$/gm)]
  expect(rows.length).toBeGreaterThan(20)
  const missing = rows.filter(
    ([, file = '', name = '']) => !existsSync(join(root, file)) || !read(file).includes(name),
  )
  expect(missing.map(([row]) => row)).toEqual([])
})
