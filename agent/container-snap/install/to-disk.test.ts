import { mkdir, readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Ledger } from '../ledger.ts'
import type { Installer } from '../testing/installer.ts'
import { leftovers, listEsp, openInstaller, readEsp, readTable, withRoot } from '../testing/installer.ts'

type Installed = { deployment: string; imageId: string; rootUuid: string; espUuid: string; digest: string }

let installer: Installer
let disk: string
let installed: Installed

beforeAll(async () => {
  installer = await openInstaller()
  disk = join(installer.folder, 'disk.raw')
  const identity = join(installer.folder, 'identity')
  await mkdir(identity)
  for (const name of [
    'key.pem',
    'certificate.pem',
    'ca.pem',
    'trust.jsonl',
    'nats.key',
    'nats.pub',
    'nats.jwt',
  ])
    await writeFile(join(identity, name), name, { mode: 0o644 })
  await writeFile(join(identity, 'notes.txt'), 'not for the machine')
  await writeFile(join(installer.folder, 'agent.yaml'), 'name: till-1\n', { mode: 0o644 })
  await writeFile(join(installer.folder, 'keys'), 'ssh-ed25519 mine\n')
  const options: Readonly<Record<string, string>> = {
    size: '512M',
    'esp-size': '64M',
    hostname: 'till-1',
    identity,
    'agent-config': join(installer.folder, 'agent.yaml'),
    'root-ssh-authorized-keys': join(installer.folder, 'keys'),
  }
  const outcome = await installer.run(
    `oci-archive:${installer.archive}`,
    disk,
    '--json',
    '--karg=console=ttyS0',
    '--karg=quiet',
    ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
  )
  if (outcome.status !== 0) throw new Error(outcome.stderr)
  installed = JSON.parse(outcome.stdout) as Installed
})

afterAll(async () => installer.close())

it('installs from an archive with no network at all, and says what is where', () => {
  expect(installed).toMatchObject({ disk, format: 'raw', diskBytes: 512 * 1024 * 1024 })
  expect(installed.deployment).toBe(`${installed.imageId}-work1`)
})

it('divides the disk into an ESP and a root, known by their types', async () => {
  expect(await readTable(disk)).toMatchObject([
    { name: 'ESP', start: 2048, size: 131_072, type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B' },
    { name: 'bootfleet', start: 133_120, size: 913_408, type: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709' },
  ])
})

it('fills the ESP with the loader, and an uncounted entry for the deployment with its kernel', async () => {
  const files = await listEsp(disk)
  const entry = `/loader/entries/bootfleet-${installed.imageId.slice(0, 12)}-1.conf`
  expect(files).toContain(`::${entry}`)
  expect(files.filter((file) => file.includes('/entries/'))).toHaveLength(1)
  expect(await readEsp(disk, '/EFI/BOOT/BOOTX64.EFI')).toBe('MZ systemd-boot')
  const text = await readEsp(disk, entry)
  const subvolume = '@var/lib/container-snap/snapshots/btrfs/subvolumes/[0-9a-f]{64}-work1'
  expect(text).toMatch(
    new RegExp(`^options .*root=UUID=${installed.rootUuid} .*rootflags=subvol=${subvolume} `, 'm'),
  )
  expect(text).toMatch(/^options .* console=ttyS0 quiet$/m)
  const [linux = '', initrd = ''] = ['linux', 'initrd'].map(
    (key) => new RegExp(`^${key} (.*)$`, 'm').exec(text)?.[1],
  )
  expect([await readEsp(disk, linux), await readEsp(disk, initrd)]).toEqual(['kernel of 1', 'initrd of 1'])
})

it('makes the deployment the default, with what makes the machine this machine in its /etc', async () => {
  await withRoot(disk, 'default', async (root) => {
    const read = async (path: string): Promise<string> => readFile(join(root, 'etc', path), 'utf8')
    expect(await read('hostname')).toBe('till-1\n')
    expect(await read('machine-id')).toBe('')
    expect(await read('bootfleet/agent.yaml')).toBe('name: till-1\n')
    expect(await modeOf(join(root, 'etc/bootfleet/agent.yaml'))).toBe(0o600)
    const fstab = await read('fstab')
    for (const [subvolume, path] of Object.entries(subvolumes).filter(([, one]) => one !== '/opt'))
      expect(fstab).toContain(
        `UUID=${installed.rootUuid} ${path} btrfs subvol=${subvolume},x-systemd.device-timeout=15min 0 0\n`,
      )
    expect(fstab).toContain(`PARTUUID=${installed.espUuid} /efi vfat `)
    expect(fstab).toContain('tmpfs /tmp tmpfs nosuid 0 0\n')
  })
})

const subvolumes = {
  '@var': '/var',
  '@home': '/home',
  '@root': '/root',
  '@srv': '/srv',
  '@opt': '/opt',
  '@usr-local': '/usr/local',
} as const

it('puts what the image ships into the subvolumes that are mounted over it, and nothing else at the top', async () => {
  await withRoot(disk, 'top', async (top) => {
    expect((await readdir(top)).toSorted()).toEqual(Object.keys(subvolumes).toSorted())
    expect(await readFile(join(top, '@root/.bashrc'), 'utf8')).toBe('umask 022\n')
    expect(await readFile(join(top, '@usr-local/bin/local-tool'), 'utf8')).toBe('shipped')
    expect(await readFile(join(top, '@var/lib/dpkg/status'), 'utf8')).toBe('Package: base-files\n')
    expect(await modeOf(join(top, '@var/lib/container-snap'))).toBe(0o700)
  })
})

it('gives the agent its identity with the modes it wants, and root its keys beside those of the image', async () => {
  await withRoot(disk, 'top', async (top) => {
    const identity = join(top, '@var/lib/bootfleet/agent/identity')
    expect(await modeOf(identity)).toBe(0o700)
    const modes = (await readdir(identity)).map(async (name) => [name, await modeOf(join(identity, name))])
    expect(Object.fromEntries(await Promise.all(modes))).toEqual({
      'key.pem': 0o600,
      'certificate.pem': 0o644,
      'ca.pem': 0o644,
      'trust.jsonl': 0o644,
      'nats.key': 0o600,
      'nats.pub': 0o644,
      'nats.jwt': 0o644,
    })
    expect(await modeOf(join(top, '@root/.ssh'))).toBe(0o700)
    expect(await modeOf(join(top, '@root/.ssh/authorized_keys'))).toBe(0o600)
    const keys = await readFile(join(top, '@root/.ssh/authorized_keys'), 'utf8')
    expect(keys).toBe('ssh-ed25519 shipped\nssh-ed25519 mine\n')
  })
})

it('tells container-snap on the machine what it installed and which loader it has', async () => {
  await withRoot(disk, 'top', async (top) => {
    const base = join(top, '@var/lib/container-snap')
    const ledger = JSON.parse(await readFile(join(base, 'ledger.json'), 'utf8')) as Ledger
    expect(ledger).toMatchObject({ activations: 1, activating: null, creating: null, pulls: [] })
    expect(ledger.deployments).toMatchObject([{ id: installed.deployment, activation: 1, bad: null }])
    expect([ledger.deployments[0]?.stagedAt, ledger.deployments[0]?.blessedAt]).not.toContain(null)
    expect(JSON.parse(await readFile(join(base, 'machine.json'), 'utf8'))).toEqual({
      version: 1,
      loader: { kind: 'systemd-boot', esp: '/efi', tries: 3 },
      kernelArguments: ['console=ttyS0', 'quiet'],
    })
  })
})

it('keeps the disk from other users, for it holds a key, and leaves nothing mounted', async () => {
  expect(await modeOf(disk)).toBe(0o600)
  expect(await leftovers(installer.folder)).toEqual([])
  expect(
    (await readdir(installer.folder)).filter((name) => name.startsWith('container-snap-install-')),
  ).toEqual([])
})

it('leaves alone what the image has a link for, and makes the folders that it lacks', async () => {
  await withRoot(disk, 'default', async (root) => {
    expect(await readlink(join(root, 'opt'))).toBe('var/opt')
    expect(await readFile(join(root, 'etc/fstab'), 'utf8')).not.toContain('@opt')
    expect((await stat(join(root, 'home'))).isDirectory()).toBe(true)
  })
})

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777
}
