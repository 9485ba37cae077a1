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
    expect(config.git).toEqual({
      url: 'file:///srv/fleet.git',
      branch: 'main',
      path: '.',
      pollInterval: 30_000,
    })
    expect(config.registry.plainHttpHosts).toEqual([])
    expect(config.log.level).toBe('info')
    expect(config.limits.downloadMaxBytes).toBe(20 * 1024 ** 3)
  })

  it('reads durations', () => {
    const text = minimal.replace('fleet.git"', 'fleet.git", pollInterval: 1m30s')
    expect(parseConfig(text, 'c.yaml').git.pollInterval).toBe(90_000)
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
