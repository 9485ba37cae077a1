import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig, readConfig } from './config.ts'

const rest = `
stateDir: state
nats: { url: "nats://127.0.0.1:4222", monitorUrl: "http://127.0.0.1:8222" }
grpc: { listen: "127.0.0.1:0" }
pki: { dir: pki }
`
const parse = (text: string) => parseConfig(`${rest}${text}`, 'c.yaml')

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-config-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('the sources of the configuration', () => {
  it('are repositories and folders, each with a name', () => {
    const { sources } = parse(`
sources:
- { name: apps, git: { url: "https://git.example/apps.git", credentials: { passwordFile: pw } } }
- { name: local, folder: { path: desired, pollInterval: 5s } }
`)
    expect(sources).toMatchObject([
      { kind: 'git', name: 'apps', branch: 'main', credentials: { username: 'git', passwordFile: 'pw' } },
      { kind: 'folder', name: 'local', path: 'desired', pollInterval: 5000 },
    ])
  })

  it('have their files beside the configuration file', async () => {
    const path = join(dir, 'controller.yaml')
    await writeFile(
      path,
      `${rest}
sources:
- name: apps
  git:
    url: https://git.example/apps.git
    credentials: { passwordFile: secrets/pw }
    verify: { commits: gpg, allowedSignersFile: trust/who, keyringFile: trust/keys, revokedSignersFile: /etc/gone }
    commitStatus: { forge: github, repository: os/apps, tokenFile: secrets/token }
- { name: local, folder: { path: desired } }
webhooks:
  listen: 127.0.0.1:0
  tls: { certificateFile: tls/cert.pem, keyFile: /etc/key.pem }
  github: { secretFile: secrets/github }
`,
    )
    const { sources, webhooks } = await readConfig(path)
    expect(sources).toMatchObject([
      {
        credentials: { passwordFile: join(dir, 'secrets/pw') },
        commitStatus: { tokenFile: join(dir, 'secrets/token') },
        verify: {
          allowedSignersFile: join(dir, 'trust/who'),
          keyringFile: join(dir, 'trust/keys'),
          revokedSignersFile: '/etc/gone',
          maxCommits: 256,
        },
      },
      { path: join(dir, 'desired') },
    ])
    expect(webhooks).toEqual({
      listen: '127.0.0.1:0',
      tls: { certificateFile: join(dir, 'tls/cert.pem'), keyFile: '/etc/key.pem' },
      github: { secretFile: join(dir, 'secrets/github') },
    })
  })

  it.each([
    ['neither git nor sources', '', /write either git \(one repository\) or sources/],
    ['both', 'git: { url: /a }\nsources: [{ name: b, folder: { path: b } }]', /write either git/],
    ['no source', 'sources: []', /sources: /],
    [
      'two of one name',
      'sources: [{ name: a, folder: { path: b } }, { name: a, folder: { path: c } }]',
      /two have the name "a"/,
    ],
    [
      'one of both kinds',
      'sources: [{ name: a, folder: { path: b }, git: { url: /c } }]',
      /"a" needs either git or folder/,
    ],
    ['one of no kind', 'sources: [{ name: a }]', /"a" needs either git or folder/],
    ['a name that is no folder name', 'sources: [{ name: ../a, folder: { path: b } }]', /it is no name/],
    [
      'a misspelt key',
      'sources: [{ name: a, git: { url: /c, brnch: x } }]',
      /sources\.0\.git\.brnch is unknown; did you mean sources\.0\.git\.branch\?/,
    ],
    [
      'an unknown forge',
      'git: { url: /c, commitStatus: { forge: hub, repository: a/b, tokenFile: t } }',
      /git\.commitStatus\.forge/,
    ],
    [
      'a repository without an owner',
      'git: { url: /c, commitStatus: { forge: github, repository: b, tokenFile: t } }',
      /it is no OWNER\/NAME/,
    ],
    ['no signers', 'git: { url: /c, verify: { commits: ssh } }', /name allowedSignersFile/],
    [
      'a keyring for ssh',
      'git: { url: /c, verify: { commits: ssh, allowedSignersFile: a, keyringFile: k } }',
      /keyringFile goes with "commits: gpg"/,
    ],
    [
      'a list outside of the repository',
      'git: { url: /c, verify: { commits: ssh, allowedSignersFile: a, allowedSigners: x/../../y } }',
      /git\.verify\.allowedSigners: it is no path in the repository/,
    ],
    [
      'half a commit',
      'git: { url: /c, verify: { commits: ssh, allowedSigners: a, startCommit: abc } }',
      /git\.verify\.startCommit: it is no whole commit hash/,
    ],
    [
      'a misspelt key of verify',
      'git: { url: /c, verify: { commits: ssh, allowedSignerFile: a } }',
      /did you mean git\.verify\.allowedSignersFile\?/,
    ],
    [
      'an unknown receiver',
      'git: { url: /c }\nwebhooks: { listen: "a:1", bitbucket: { secretFile: s } }',
      /webhooks\.bitbucket is unknown/,
    ],
  ])('are refused with %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message)
  })
})
