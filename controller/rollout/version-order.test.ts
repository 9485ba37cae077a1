import { describe, expect, it } from 'vitest'
import { compareVersions } from './version-order.ts'

describe('the order of versions', () => {
  it('is that of semver, and of longer dotted numbers', () => {
    const ascending = [
      '0.9',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-rc.2',
      '1.0.0-rc.10',
      '1.0.0',
      '1.0.1',
      '1.10.0',
      'v2',
      '39.20240210.3.0',
      '42.20260801.0',
    ]
    for (const [index, version] of ascending.entries()) {
      for (const [other, against] of ascending.entries()) {
        expect([version, against, compareVersions(version, against)]).toEqual([
          version,
          against,
          Math.sign(index - other),
        ])
      }
    }
  })

  it('does not depend on how it is written', () => {
    expect(compareVersions('1.2', 'v1.2.0+build.7')).toBe(0)
    expect(compareVersions('v1.2.0+build.7', '1.2')).toBe(0)
    expect(compareVersions('1.2.0.1', '1.2')).toBe(1)
  })

  it.each(['', 'latest', '1.2.x', 'release-3'])('says nothing of %j', (version) => {
    expect(compareVersions(version, '1.0.0')).toBeNull()
    expect(compareVersions('1.0.0', version)).toBeNull()
  })
})
