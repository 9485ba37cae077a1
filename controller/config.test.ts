import { describe, expect, it } from 'vitest'
import { parseConfig } from './config.ts'

const minimal = `
stateDir: state
git: { url: "file:///srv/fleet.git" }
nats: { url: "nats://127.0.0.1:4222", monitorUrl: "http://127.0.0.1:8222" }
grpc: { listen: "127.0.0.1:0" }
pki: { dir: pki }
`

describe('the configuration file', () => {
  it('needs five settings; every other has a default', () => {
    const config = parseConfig(minimal, 'c.yaml')
    expect(config.sources).toEqual([
      {
        kind: 'git',
        name: 'git',
        url: 'file:///srv/fleet.git',
        branch: 'main',
        path: '.',
        pollInterval: 30_000,
        webhookUrls: [],
      },
    ])
    expect(config.webhooks).toBeUndefined()
    expect(config.registry.plainHttpHosts).toEqual([])
    expect(config.log.level).toBe('info')
    expect(config.limits.downloadMaxBytes).toBe(20 * 1024 ** 3)
  })

  it('has no listener for who joins unless it is written', () => {
    expect(parseConfig(minimal, 'c.yaml').join).toBeUndefined()
    const written = `${minimal}join: { listen: "0.0.0.0:8444", natsUrl: "nats://fleet.example:4222" }\n`
    expect(parseConfig(written, 'c.yaml').join).toMatchObject({ listen: '0.0.0.0:8444' })
    expect(() => parseConfig(written.replace('nats://fleet', 'http://fleet'), 'c.yaml')).toThrow(
      /join\.natsUrl/,
    )
  })

  it('has no web page unless it is written', () => {
    expect(parseConfig(minimal, 'c.yaml').web).toBeUndefined()
    const written = `${minimal}web: { listen: "0.0.0.0:8445" }\n`
    expect(parseConfig(written, 'c.yaml').web).toEqual({ listen: '0.0.0.0:8445' })
    expect(() => parseConfig(written.replace(':8445', ''), 'c.yaml')).toThrow(/web\.listen/)
  })

  it('has logins of eight hours by SSH key, and ID tokens of an issuer that is written, over https', () => {
    const operators = (text: string) => parseConfig(`${minimal}operators: ${text}\n`, 'c.yaml').operators
    expect(parseConfig(minimal, 'c.yaml').operators).toEqual({ loginLife: 8 * 3_600_000 })
    expect(operators('{ loginLife: 1h }')).toEqual({ loginLife: 3_600_000 })
    for (const life of ['4m', '25h']) {
      expect(() => operators(`{ loginLife: ${life} }`)).toThrow('a login lasts from "5m" to "24h"')
    }
    const oidc = (issuer: string) => `{ oidc: { issuer: "${issuer}", audience: bootfleet } }`
    const written = { issuer: 'https://id.example', audience: 'bootfleet', subjectClaim: 'sub' }
    expect(operators(oidc('https://id.example')).oidc).toEqual(written)
    expect(() => operators(oidc('http://id.example'))).toThrow(/operators\.oidc\.issuer/)
  })

  it('reads durations', () => {
    const text = minimal.replace('fleet.git"', 'fleet.git", pollInterval: 1m30s')
    expect(parseConfig(text, 'c.yaml').sources[0]?.pollInterval).toBe(90_000)
  })

  it.each([
    [
      'a misspelt key',
      minimal.replace('monitorUrl', 'monitorURL'),
      /nats\.monitorURL is unknown; did you mean nats\.monitorUrl\?/,
    ],
    ['a key nobody knows', `${minimal}zebra: 1\n`, /zebra is unknown; known are stateDir, git/],
    [
      'a misspelt key of a section with defaults',
      `${minimal}log: { lvel: info }\n`,
      /log\.lvel is unknown; did you mean log\.level\?/,
    ],
    [
      'a duration without a unit',
      minimal.replace('fleet.git"', 'fleet.git", pollInterval: "30"'),
      /git\.pollInterval: it is no duration/,
    ],
    [
      'an address without a port',
      minimal.replace('127.0.0.1:0', '127.0.0.1'),
      /grpc\.listen: it is no HOST:PORT/,
    ],
    ['a missing setting', minimal.replace('stateDir: state', ''), /stateDir/],
    ['text that is no YAML', '{', /it is no YAML/],
  ])('refuses %s and says where', (_name, text, message) => {
    expect(() => parseConfig(text, 'c.yaml')).toThrow(message)
  })
})
