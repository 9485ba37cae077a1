import { describe, expect, it } from 'vitest'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'
import { renderDesiredState } from './render.ts'
import { canonicalRevisionInput } from './revision.ts'
import type { DesiredState, SourceFile } from './types.ts'
import { verificationOf } from './verification.ts'

const pem = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n'
const releaseKey = { path: 'keys/release.pub', text: pem }
const digest = `sha256:${'a'.repeat(64)}`

const fleet = (verify: string, image = `repository: r.example/os, digest: "${digest}"`): SourceFile => ({
  path: 'fleet.yaml',
  text: `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { ${image}, verify: ${verify} }
`,
})
const byKeys = (...keys: string[]) => fleet(`{ cosign: { keys: [${keys.join(', ')}] } }`)

function parsed(...files: readonly SourceFile[]): DesiredState {
  const result = parseDesiredState(files)
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState
}

function refused(...files: readonly SourceFile[]): readonly string[] {
  const result = parseDesiredState(files)
  if (result.ok) return []
  return result.issues.map((issue) => formatIssue({ ...issue, frame: '' }))
}

const verifyOf = (state: DesiredState) => state.fleets[0]?.verify

describe('whose signature an image must have', () => {
  it('is read with the keys that lie in the same commit, and written out as it was read', () => {
    const state = parsed(byKeys('keys/release.pub'), releaseKey)
    expect(verifyOf(state)).toEqual({ keys: [{ kind: 'file', path: 'keys/release.pub', pem }], signers: [] })
    const written = { path: 'x.yaml', text: renderDesiredState(state) }
    expect(verifyOf(parsed(written, releaseKey))).toEqual(verifyOf(state))
  })

  it('takes keys of the configuration, and signers with certificates', () => {
    const signers =
      '[{ trustedRoot: public, issuer: "https://i.example", subject: a@b.example }, { trustedRoot: own, issuer: "https://i.example", subjectPattern: "https://f.example/os/*" }]'
    const state = parsed(fleet(`{ cosign: { configuredKeys: [release], keyless: ${signers} } }`))
    expect(verifyOf(state)).toEqual({
      keys: [{ kind: 'configured', name: 'release' }],
      signers: [
        {
          trustedRoot: 'public',
          issuer: 'https://i.example',
          subject: { kind: 'exact', value: 'a@b.example' },
        },
        {
          trustedRoot: 'own',
          issuer: 'https://i.example',
          subject: { kind: 'pattern', value: 'https://f.example/os/*' },
        },
      ],
    })
  })

  it('looks for keys below the root of the source that names them', () => {
    const root = 'one/'
    const files = [
      { ...byKeys('keys/release.pub'), path: 'one/fleet.yaml', root },
      { path: 'one/keys/release.pub', text: pem, root },
    ]
    expect(verifyOf(parsed(...files))?.keys).toHaveLength(1)
    const elsewhere = { path: 'two/keys/release.pub', text: pem, root: 'two/' }
    expect(refused(files[0] as SourceFile, elsewhere)).toEqual([
      'one/fleet.yaml:6:148: spec.image.verify.cosign.keys[0]: there is no file "keys/release.pub" in the source',
    ])
  })

  it.each([
    [
      '{ cosign: { keys: [keys/relase.pub] } }',
      'spec.image.verify.cosign.keys[0]: there is no file "keys/relase.pub" in the source; did you mean "keys/release.pub"?',
    ],
    [
      '{ cosign: { keys: [keys/other.pub] } }',
      'spec.image.verify.cosign.keys[0]: "keys/other.pub" is not one public key in PEM form, as "cosign public-key" writes it',
    ],
    [
      '{ cosign: { keys: [../release.pub] } }',
      'spec.image.verify.cosign.keys[0]: "../release.pub" is not the path of a key: of a file whose name ends in .pub, relative to the source, without ".." and hidden folders (for example keys/release.pub)',
    ],
    [
      '{ cosign: { keys: [keys/release.pub, keys/release.pub] } }',
      'spec.image.verify.cosign.keys[1]: a second key "keys/release.pub"',
    ],
    [
      '{ cosign: { configuredKeys: [release, release] } }',
      'spec.image.verify.cosign.configuredKeys[1]: a second key "release"',
    ],
    [
      '{ cosign: {} }',
      'spec.image.verify.cosign: names nobody who may sign: write keys, configuredKeys or keyless',
    ],
    ['{ gpg: {} }', 'spec.image.verify.gpg: unknown field'],
    [
      '{ cosign: { keyless: [{ trustedRoot: public, issuer: "https://i.example" }] } }',
      'spec.image.verify.cosign.keyless[0]: exactly one of subject and subjectPattern is needed',
    ],
    [
      '{ cosign: { keyless: [{ trustedRoot: public, issuer: "https://i.example", subject: "https://f.example/*" }] } }',
      'spec.image.verify.cosign.keyless[0].subject: "https://f.example/*" is not a subject: an e-mail address or the address of a workflow, exactly; one with "*" is a subjectPattern',
    ],
    [
      '{ cosign: { keyless: [{ trustedRoot: public, issuer: "https://i.example", subjectPattern: "**" }] } }',
      'spec.image.verify.cosign.keyless[0].subjectPattern: "**" is not a pattern of subjects: the whole of one, in which "*" stands for anything (for example https://github.com/acme/os/*)',
    ],
  ])('%s is refused', (verify, expected) => {
    const others = [releaseKey, { path: 'keys/other.pub', text: 'ssh-ed25519 AAAA' }]
    const found = refused(fleet(verify), ...others).map((issue) => issue.replace(/^fleet\.yaml:6:\d+: /, ''))
    expect(found).toContain(expected)
  })

  it('is that of the fleet that is followed', () => {
    const following = fleet('{ cosign: { configuredKeys: [release] } }', 'from: { fleet: staging }')
    expect(refused(following)[0]).toContain(
      'spec.image.verify: is that of the fleet that is followed: remove it',
    )
    const named = (name: string, image: string): SourceFile => ({
      path: `${name}.yaml`,
      text: fleet('x', 'x')
        .text.replace('edge', name)
        .replace(/image: .*/, `image: ${image}`),
    })
    const { fleets } = parsed(
      named(
        'staging',
        '{ repository: r.example/os, tag: x, verify: { cosign: { configuredKeys: [release] } } }',
      ),
      named('edge', '{ from: { fleet: staging } }'),
      named('late', '{ from: { fleet: edge } }'),
      named('lab', '{ repository: r.example/os, tag: x }'),
    )
    const asked = fleets.map((each) => [each.name, verificationOf(fleets, each)])
    const byRelease = { keys: [{ kind: 'configured', name: 'release' }], signers: [] }
    expect(Object.fromEntries(asked)).toEqual({
      staging: byRelease,
      edge: byRelease,
      late: byRelease,
      lab: null,
    })
  })

  it('changes the revision with who may sign, and not with names and order', () => {
    const { health } = parsed(byKeys('keys/release.pub'), releaseKey).fleets[0]!.strategy
    const image = { repository: 'r.example/os', digest }
    const inputOf = (...files: readonly SourceFile[]) =>
      canonicalRevisionInput({ image, health, verify: verifyOf(parsed(...files)) ?? null })
    const one = inputOf(byKeys('keys/release.pub'), releaseKey)
    expect(one).not.toBe(canonicalRevisionInput({ image, health }))
    expect(inputOf(byKeys('other/name.pub'), { path: 'other/name.pub', text: `\n${pem}` })).toBe(one)
    const two = { path: 'b.pub', text: pem.replace('MFkw', 'MFkx') }
    expect(inputOf(byKeys('keys/release.pub'), { ...releaseKey, text: two.text })).not.toBe(one)
    expect(inputOf(byKeys('keys/release.pub', 'b.pub'), releaseKey, two)).toBe(
      inputOf(byKeys('b.pub', 'keys/release.pub'), releaseKey, two),
    )
    const signed = (signer: string) => inputOf(fleet(`{ cosign: { keyless: [${signer}] } }`))
    const exact = signed('{ trustedRoot: a, issuer: "https://i.example", subject: x }')
    expect(exact).not.toBe(signed('{ trustedRoot: b, issuer: "https://i.example", subject: x }'))
    expect(exact).not.toBe(signed('{ trustedRoot: a, issuer: "https://i.example", subjectPattern: x }'))
    expect(inputOf(fleet('{ cosign: { configuredKeys: [x] } }'))).not.toBe(one)
  })
})
