import { describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from './config.ts'
import { digestOf } from './testing/plans.ts'

const base = 'controller: { address: 127.0.0.1:9443 }\nnats: { url: 127.0.0.1:4222 }\n'

describe('a configuration', () => {
  it('needs little more than where the controller is', () => {
    expect(parseConfig(`${base}host: { driver: container-snap }\n`, 'x')).toMatchObject({
      stateDir: '/var/lib/bootfleet/agent',
      identityDir: '/var/lib/bootfleet/agent/identity',
      name: expect.stringMatching(/./) as string,
      host: { driver: 'container-snap', command: 'container-snap' },
      log: { level: 'info' },
    })
  })

  it('has keys sealed where the host is this machine, and never elsewhere unless told to', () => {
    const sealOf = (host: string, more = ''): unknown =>
      parseConfig(`${base}host: ${host}\n${more}`, 'x').identity
    expect(sealOf('{ driver: container-snap }')).toEqual({ seal: 'auto', tpm: '/dev/tpmrm0' })
    const elsewhere = '{ driver: container-snap, sysroot: /s, device: /dev/loop0, runDir: /r }'
    expect(sealOf(elsewhere)).toMatchObject({ seal: 'never' })
    expect(sealOf(elsewhere, 'identity: { seal: require, tpm: /dev/tpmrm1 }\n')).toEqual({
      seal: 'require',
      tpm: '/dev/tpmrm1',
    })
    expect(() => sealOf(elsewhere, 'identity: { tpm: tpm0 }\n')).toThrow('DRIVER:SETTINGS')
  })

  it('may name a sysroot with its device and run directory', () => {
    const host = '{ driver: container-snap, sysroot: /s, device: /dev/loop0, runDir: /r }'
    expect(parseConfig(`${base}host: ${host}\n`, 'x').host).toMatchObject({
      sysroot: { sysroot: '/s', device: '/dev/loop0', runDir: '/r' },
    })
  })

  it('may simulate a host', () => {
    const host = `{ driver: simulated, image: { digest: '${digestOf('0')}', version: '0' }, stepDelay: 5 }`
    expect(parseConfig(`${base}host: ${host}\n`, 'x').host).toEqual({
      driver: 'simulated',
      image: { digest: digestOf('0'), manifestDigest: digestOf('0'), version: '0' },
      failing: [],
      offline: [],
      unbootable: [],
      stepDelayMs: 5,
    })
  })

  it('may only report what runs', () => {
    expect(parseConfig(`${base}host: { driver: report-only }\n`, 'x').host).toEqual({
      driver: 'report-only',
      lookEveryMs: 300_000,
    })
    expect(
      parseConfig('controller: { address: 127.0.0.1:9443 }\nhost: { driver: report-only }\n', 'x').nats,
    ).toBe(null)
    const often = 'host: { driver: report-only, lookEverySeconds: 30 }\n'
    expect(parseConfig(`${base}${often}`, 'x').host).toMatchObject({ lookEveryMs: 30_000 })
  })

  it.each([
    ['that is no YAML', 'a: [', /reading the configuration x/],
    ['with an unknown field', `${base}host: { driver: container-snap }\ncolour: red\n`, /colour/],
    ['with a relative directory', `${base}stateDir: here\nhost: { driver: container-snap }\n`, /absolute/],
    ['with half a sysroot', `${base}host: { driver: container-snap, sysroot: /s }\n`, /go together/],
    [
      'that looks too often',
      `${base}host: { driver: report-only, lookEverySeconds: 1 }\n`,
      /lookEverySeconds/,
    ],
    [
      'without a place that plans come from',
      'controller: { address: 127.0.0.1:9443 }\nhost: { driver: container-snap }\n',
      /plans come from there; only driver: report-only needs none/,
    ],
    ['without a controller', 'nats: { url: x }\nhost: { driver: container-snap }\n', /controller/],
    [
      'with an address that is none',
      base.replace(':9443', '') + 'host: { driver: container-snap }\n',
      /HOST:PORT/,
    ],
  ])('%s is refused with the reason', (_what, text, reason) => {
    expect(() => parseConfig(text, 'x')).toThrowError(reason)
    expect(() => parseConfig(text, 'x')).toThrowError(expect.objectContaining({ code: 'ConfigInvalid' }))
  })

  it('that cannot be read is refused with its path', async () => {
    await expect(loadConfig('/nowhere/agent.yaml')).rejects.toThrowError('/nowhere/agent.yaml')
  })
})
