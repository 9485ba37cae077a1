import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const units = readdirSync(join(root, 'packaging/systemd'))

function run(file: string, ...words: readonly string[]): string {
  return execFileSync(file, words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}

describe("a host's files", () => {
  let base: string

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'bootfleet-packages-'))
  })

  afterAll(() => rmSync(base, { recursive: true, force: true }))

  it('lie in a folder as in an image: programs that run, and units that are enabled as they say', () => {
    const tree = join(base, 'tree')
    run('scripts/package-tree.sh', tree, 'enabled')
    for (const [program, file] of [
      ['bootfleet-agent', 'bootfleet-agent.mjs'],
      ['container-snap', 'container-snap.cjs'],
    ] as const) {
      const path = join(tree, 'usr/bin', program)
      expect(readlinkSync(path)).toBe(`../lib/bootfleet/${file}`)
      expect(statSync(path).mode & 0o777).toBe(0o755)
      expect(run(path, '--help')).toContain(program)
    }
    const system = join(tree, 'usr/lib/systemd/system')
    for (const unit of units) {
      const text = readFileSync(join(system, unit), 'utf8')
      const wanted = [...text.matchAll(/^(Wanted|Required)By=(\S+)$/gm)]
      expect(wanted).not.toEqual([])
      for (const [, kind, target] of wanted) {
        const folder = `${target ?? ''}.${kind === 'Wanted' ? 'wants' : 'requires'}`
        expect(readlinkSync(join(system, folder, unit))).toBe(`../${unit}`)
      }
    }
  })

  it('are enabled by the preset, every one', () => {
    const preset = readFileSync(
      join(root, 'packaging/tree/usr/lib/systemd/system-preset/80-bootfleet.preset'),
      'utf8',
    )
    expect(preset.trim().split('\n').toSorted()).toEqual(units.map((unit) => `enable ${unit}`).toSorted())
  })

  it('are all that is in the image, and owned by root', () => {
    const archive = run('scripts/agent-image.sh')
    run('skopeo', 'copy', '-q', `oci-archive:${join(root, archive)}`, `dir:${join(base, 'image')}`)
    const manifest = JSON.parse(readFileSync(join(base, 'image/manifest.json'), 'utf8')) as {
      layers: { digest: string }[]
    }
    expect(manifest.layers).toHaveLength(1)
    const layer = join(base, 'image', manifest.layers[0]?.digest.slice('sha256:'.length) ?? '')
    const entries = run('tar', 'tvf', layer).split('\n')
    expect(entries.filter((entry) => !/^\S+ 0\/0 /.test(entry))).toEqual([])
    const paths = new Set(run('tar', 'tf', layer).split('\n'))
    for (const unit of units) expect(paths).toContain(`usr/lib/systemd/system/${unit}`)
    for (const path of [
      'usr/bin/container-snap',
      'usr/lib/bootfleet/container-snap.cjs',
      'efi/',
      'etc/bootfleet/',
    ]) {
      expect(paths).toContain(path)
    }
    // Nothing of a merged /usr may become a folder of its own.
    const top = [...paths].map((path) => path.split('/')[0] ?? '')
    expect(new Set(top)).toEqual(new Set(['efi', 'etc', 'usr']))
  })

  it('make a Debian package that enables the units', () => {
    const file = join(root, run('scripts/deb.sh'))
    expect(run('dpkg-deb', '-f', file, 'Package', 'Depends')).toMatch(
      /bootfleet-host\n?[^]*nodejs \(>= 20\.19\)/,
    )
    const content = run('dpkg-deb', '-c', file)
    expect(content).toContain('./usr/bin/bootfleet-agent -> ../lib/bootfleet/bootfleet-agent.mjs')
    expect(content).not.toContain('./efi')
    const control = join(base, 'control')
    run('dpkg-deb', '-e', file, control)
    for (const unit of units) expect(readFileSync(join(control, 'postinst'), 'utf8')).toContain(unit)
  })
})
