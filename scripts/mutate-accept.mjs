// Takes the checks out of what a host accepts, one at a time, and runs the tests each time: a check that can be
// removed while every test passes is a check that nobody would miss. Works on a copy.
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const targets = [
  { file: 'agent/plans/accept.ts', tests: ['agent/plans/accept.test.ts'] },
  { file: 'proto/envelope.ts', tests: ['agent/plans/accept.test.ts', 'proto/envelope.test.ts'] },
  { file: 'proto/release-role.ts', tests: ['agent/plans/accept.test.ts', 'proto/release-role.test.ts'] },
  { file: 'proto/permit.ts', tests: ['proto/permit.test.ts'] },
  { file: 'agent/plans/guard.ts', tests: ['agent/plans/guard.test.ts'] },
  { file: 'agent/update/floor.ts', tests: ['agent/update/floor.test.ts'] },
  {
    file: 'agent/update/results.ts',
    tests: ['agent/update/step.test.ts', 'agent/update/floor.test.ts'],
    leastChecks: 2,
  },
  {
    file: 'agent/hosts/container-snap.ts',
    tests: ['agent/hosts/container-snap.test.ts'],
    leastChecks: 1,
  },
  { file: 'proto/trust-chain.ts', tests: ['proto/trust-chain.test.ts'] },
  { file: 'proto/trust-bundle.ts', tests: ['proto/trust-bundle.test.ts', 'proto/trust-chain.test.ts'] },
  ...[
    'proto/release-key.ts',
    'proto/simple-signing.ts',
    'proto/signature-bundle.ts',
    'proto/keyless-signer.ts',
  ].map((file) => ({
    file,
    tests: ['proto/release-signature.test.ts', 'controller/images/keyless.test.ts'],
  })),
]
const testTimeoutMs = 180_000

/** A refusal that a condition leads to: the check is removed by making its condition never true. */
const check =
  /\bif \((?<condition>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*(?:\{\s*)?return (?:refused?\(|invalid|rejected|`|'|\{ (?:\.\.\.refuse|kind: '(?:unsigned|refused|[A-Z])))/g
/** A refusal that is one side of a conditional expression; the other side says all is well. */
const choices = [
  { of: /\.kind === 'verified' \? \[kept\]/, by: ".kind !== '' ? [kept]" },
  // What boots is what was signed.
  { of: /if \(manifestDigest === plan\.image\.manifestDigest\) \{/, by: 'if (nowMs !== -1) {' },
  { of: /if \(manifestDigest === image\.manifestDigest\) return/, by: "if (manifestDigest !== '') return" },
  { of: /return payloadSha256 === last\?\.payloadSha256\s*\?/, by: 'return payloadSha256 !== "" ?' },
  { of: /return number === 1 \? null/, by: 'return number > 0 ? null' },
  { of: /return number === wanted \? null/, by: 'return number > 0 ? null' },
  { of: /return backdated \?/, by: 'return backdated && false ?' },
  { of: /return idle === undefined \?/, by: 'return idle === undefined || true ?' },
  { of: /return wrong === null \?/, by: 'return wrong === null || true ?' },
  { of: /return Date\.parse\(expiresAt\) > Date\.parse\(issuedAt\) \?/, by: 'return true ?' },
  { of: /return key\.asymmetricKeyType === 'ed25519' \|\| isP256 \?/, by: 'return key !== null ?' },
  { of: /if \(!pem\.startsWith\([^\n]*\) return null/, by: '' },
  { of: /if \(sizeBytes <= PLAN_SIGNATURES_MAX_BYTES\) return/, by: 'if (sizeBytes > 0) return' },
  { of: /\.kind === 'verified' \? \[kept\]/, by: '.kind !== "" ? [kept]' },
  { of: /return signedRepository === repository \?/, by: 'return true ?' },
  { of: /if \(digests\.some\([^\n]*\) return null/, by: 'return null' },
  { of: /return namedCurve === 'prime256v1' \?/, by: 'return true ?' },
  { of: /return modulusLength >= RSA_BITS_MIN \?/, by: 'return true ?' },
  { of: /return flaw === null \?/, by: 'return true ?' },
  { of: /return isByKey \|\| signers\.length === 0 \?/, by: 'return signers.length === 0 ?' },
  { of: /return rejection === null \?/, by: 'return true ?' },
  { of: /if \(found\.issuer !== issuer\) return false/, by: '' },
  { of: /\? found\.subject === subject\.value/, by: '? true' },
  { of: /: matchesWildcard\(subject\.value, found\.subject\)/, by: ': true' },
  { of: /const ctlogThreshold = material\.ctlogs\.length > 0 \? 1 : 0/, by: 'const ctlogThreshold = 0' },
  { of: /tlogThreshold: 1, timestampThreshold: 1/, by: 'tlogThreshold: 0, timestampThreshold: 0' },
  { of: /length\(1\),/, by: 'min(1),' },
  // A permit is signed by approvers, is for this host, and has not expired.
  { of: /keyid === id && isSignatureBy\(key, encoded, sig\)/, by: 'keyid === id' },
  { of: /\(digest === undefined\) !== \(lowestVersion === undefined\)/, by: 'true' },
  { of: /Date\.parse\(issuedAt\) < Date\.parse\(expiresAt\)/, by: 'true' },
  { of: /opened\.kind === 'opened' && detail === null/, by: "opened.kind === 'opened'" },
  { of: /repository !== candidate\.repository \|\| /, by: '' },
  { of: / \|\| untilMs <= nowMs/, by: '' },
  { of: /return image\.digest === candidate\.digest \|\| [^\n]*/, by: 'return true' },
  { of: /return order === 0 \|\| order === 1\n/, by: 'return true\n' },
  { of: /if \(order === 0 \|\| order === 1\) return null/, by: 'return null' },
  { of: /Math\.max\(nowMs, issuedAtMs\)/, by: 'nowMs' },
  { of: /if \(denial === null\) return/, by: 'if (nowMs !== -1) return' },
]

function mutantsOf(source) {
  const mutants = []
  for (const match of source.matchAll(check)) {
    const { condition } = match.groups
    const at = match.index + match[0].indexOf(condition)
    const text = `${source.slice(0, at)}(${condition}) && Date.now() < 0${source.slice(at + condition.length)}`
    mutants.push({ line: source.slice(0, at).split('\n').length, condition, text })
  }
  for (const { of, by } of choices) {
    const match = of.exec(source)
    if (match === null) continue
    const text = source.slice(0, match.index) + by + source.slice(match.index + match[0].length)
    mutants.push({ line: source.slice(0, match.index).split('\n').length, condition: match[0], text })
  }
  return mutants
}

function testsPass(dir, tests) {
  const args = ['run', '--project', 'unit', '--bail', '1', ...tests]
  const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), args, {
    cwd: dir,
    stdio: 'ignore',
    timeout: testTimeoutMs,
  })
  return status === 0
}

async function judge(dir, { file, tests, leastChecks = 3 }) {
  const source = await readFile(join(root, file), 'utf8')
  const mutants = mutantsOf(source)
  if (mutants.length < leastChecks)
    throw new Error(`${file}: ${mutants.length} checks found; the patterns are out of date`)
  const survivors = []
  for (const { line, condition, text } of mutants) {
    await writeFile(join(dir, file), text)
    const survived = testsPass(dir, tests)
    if (survived) survivors.push(line)
    const verdict = survived ? '✖ not missed' : '✔ missed'
    console.log(`${verdict}  ${file}:${line}  ${condition.replaceAll(/\s+/g, ' ')}`)
  }
  await writeFile(join(dir, file), source)
  return survivors.length
}

const dir = await mkdtemp(join(tmpdir(), 'bootfleet-mutants-'))
let survivors = 0
try {
  for (const name of [
    'proto',
    'trust',
    'agent',
    'controller',
    'test/support',
    'package.json',
    'vitest.config.ts',
    'tsconfig.base.json',
  ]) {
    await cp(join(root, name), join(dir, name), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  const all = [...new Set(targets.flatMap(({ tests }) => tests))]
  if (!testsPass(dir, all)) throw new Error('the tests fail before anything is changed')
  // With file names as arguments only those.
  const wanted = process.argv.slice(2)
  for (const target of targets.filter(({ file }) => wanted.length === 0 || wanted.includes(file)))
    survivors += await judge(dir, target)
} finally {
  await rm(dir, { recursive: true, force: true })
}
console.log(survivors === 0 ? 'every check is missed when it is gone' : `${survivors} checks are not missed`)
process.exitCode = survivors === 0 ? 0 : 1
