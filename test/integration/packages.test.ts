import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

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

  describe('as a Debian package that goes', () => {
    let at: string
    let programs: string
    let control: string

    beforeAll(() => {
      control = join(base, 'control-of-gone')
      run('dpkg-deb', '-e', join(root, run('scripts/deb.sh')), control)
    }, 300_000)

    beforeEach(() => {
      at = mkdtempSync(join(base, 'gone-'))
      programs = join(at, 'bin')
      for (const folder of ['bin', 'etc/bootfleet', 'run/systemd/system', 'var/lib/bootfleet/agent/identity'])
        mkdirSync(join(at, folder), { recursive: true })
      writeFileSync(join(at, 'etc/bootfleet/agent.yaml'), 'name: [')
    })

    /** A maintainer script, with `at` for the machine's root; `uninstall` is how the agent's ends. */
    function script(name: string, word: string, uninstall = 0) {
      const text = readFileSync(join(control, name), 'utf8').replaceAll(/\/(etc|run|var)\//g, `${at}/$1/`)
      const agent = `#!/bin/sh\necho "$@" >>${at}/calls\nexit ${uninstall}\n`
      writeFileSync(join(programs, 'bootfleet-agent'), agent, { mode: 0o755 })
      const env = { PATH: `${programs}:${process.env['PATH'] ?? ''}` }
      return spawnSync('sh', ['-c', text, name, word], { env, encoding: 'utf8' })
    }

    it('stays while the agent cannot be uninstalled, and says what to do', () => {
      const { status, stderr } = script('prerm', 'remove', 2)
      expect([status, stderr]).toEqual([1, expect.stringContaining(`mv ${at}/etc/bootfleet/agent.yaml`)])
      expect(script('prerm', 'remove').status).toBe(0)
      expect(script('prerm', 'upgrade', 1).status).toBe(0)
    })

    it('stays while an adoption is not finished, whether there is a configuration or not', () => {
      rmSync(join(at, 'etc/bootfleet/agent.yaml'))
      const journal = join(at, 'var/lib/bootfleet/adopt.json')
      writeFileSync(journal, JSON.stringify({ finishedAt: null }, null, 2))
      const { status, stderr } = script('prerm', 'remove')
      expect([status, stderr]).toEqual([1, expect.stringContaining('adopt --finish')])
      writeFileSync(journal, JSON.stringify({ finishedAt: '2026-11-22T00:00:00Z' }, null, 2))
      expect(script('prerm', 'remove').status).toBe(0)
    })

    it('takes only its own files along when it is purged', () => {
      const state = join(at, 'var/lib/bootfleet')
      for (const name of ['agent/identity/key.pem', 'agent/state.json', 'agent/state.json.damaged-1', 'mine'])
        writeFileSync(join(state, name), 'a')
      expect(script('postrm', 'purge').status).toBe(0)
      expect([readdirSync(state), existsSync(join(at, 'etc/bootfleet'))]).toEqual([['mine'], false])
    })
  })
})
