import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Profile } from './lint/rule.ts'
import { findingsIn } from './lint/rules.ts'
import { openTree } from './lint/tree.ts'
import { soundSystem, unpackTree } from './testing/system-tree.ts'

const packaged = join(import.meta.dirname, '../../packaging/systemd')
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'container-snap-units-'))
  for (const name of await readdir(packaged)) {
    const text = await readFile(join(packaged, name), 'utf8')
    // Of a host's programs, none is installed here.
    await writeFile(join(directory, name), text.replaceAll(/^(ExecStart=)\/usr\/bin\/.+$/gm, '$1/bin/true'))
  }
})
afterAll(async () => rm(directory, { recursive: true, force: true }))

test('systemd finds nothing wrong with the unit that blesses, nor with those that it waits for', async () => {
  const unit = join(directory, 'container-snap-bless.service')
  const { exitCode, stderr } = await execa('systemd-analyze', ['verify', unit], { reject: false })
  expect({ exitCode, stderr: stderr.split('\n').filter((line) => line.includes(directory)) }).toEqual({
    exitCode: 0,
    stderr: [],
  })
})

test('it comes after a boot that is complete, which the verdict of an agent comes before', async () => {
  const settings = async (name: string, key: string): Promise<string[]> => {
    const text = await readFile(join(packaged, name), 'utf8')
    return text.match(new RegExp(`^${key}=.*$`, 'gm'))?.flatMap((line) => line.split(/[= ]/).slice(1)) ?? []
  }
  const bless = 'container-snap-bless.service'
  expect(await settings(bless, 'Requires')).toEqual(['boot-complete.target'])
  const after = await settings(bless, 'After')
  expect(after).toEqual(expect.arrayContaining(['boot-complete.target', 'container-snap-repair.service']))
  // Else multi-user.target, which checks may ask for, would wait for the verdict on itself.
  expect(await settings(bless, 'DefaultDependencies')).toEqual(['no'])
  const health = 'bootfleet-health.service'
  expect(await settings(health, 'RequiredBy')).toEqual(['boot-complete.target'])
  expect(await settings(health, 'Before')).toContain('boot-complete.target')
})

test('lint asks for it where GRUB boots the image, and nowhere else', async () => {
  const link = 'etc/systemd/system/multi-user.target.wants/container-snap-bless.service'
  const { root, close } = await unpackTree({ ...soundSystem, [link]: null })
  try {
    const findings = async (profile: Profile) => findingsIn(openTree(root), profile)
    const message = expect.stringContaining(
      'container-snap-bless.service is not enabled; without them',
    ) as string
    expect(await findings('grub')).toEqual([{ rule: 'container-snap-units', severity: 'warning', message }])
    expect(await findings('systemd-boot')).toEqual([])
    expect(await findings('tukit-grub2')).toEqual([])
  } finally {
    await close()
  }
})
