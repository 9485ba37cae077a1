import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Phase, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { systemLines } from '../local/words.ts'
import { toSystemReport } from '../report/system-report.ts'
import { openSystemObserver } from './report-only.ts'

const digest = `sha256:${'a1'.repeat(32)}`
const bootc = JSON.stringify({
  status: { booted: { image: { image: { image: 'quay.io/os:42' }, version: '42.1', imageDigest: digest } } },
})
const rpmOstree = JSON.stringify({
  deployments: [
    {
      booted: true,
      'container-image-reference': 'ostree-unverified-registry:quay.io/os:42',
      'container-image-reference-digest': digest,
      'base-commit-meta': {
        'ostree.container.image-config': JSON.stringify({ config: { Labels: { team: 'edge' } } }),
      },
    },
  ],
})
const files = {
  'etc/os-release': 'ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42 (IoT)"\n',
  'proc/sys/kernel/random/boot_id': 'boot-1\n',
}
const { signal } = new AbortController()

async function rootWith(contents: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'bootfleet-observed-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  return root
}

function programs(outputs: Readonly<Record<string, string>>) {
  const asked: string[] = []
  const ask = async ([name]: readonly [string, ...string[]]): Promise<string | null> => {
    asked.push(name)
    return outputs[name] ?? null
  }
  return { ask, asked }
}

it('a bootc machine is told by its image, with the labels that rpm-ostree has of it', async () => {
  const root = await rootWith(files)
  const { ask } = programs({ bootc, 'rpm-ostree': rpmOstree })
  expect(await openSystemObserver({ root, ask })(signal)).toMatchObject({
    bootId: 'boot-1',
    os: { id: 'fedora', version: '42', name: 'Fedora Linux 42 (IoT)' },
    image: { reference: 'quay.io/os:42', digest, version: '42.1', labels: { team: 'edge' } },
  })
})

it('where only rpm-ostree is there, it says what is booted', async () => {
  const root = await rootWith(files)
  const { ask } = programs({ 'rpm-ostree': rpmOstree })
  const { image } = await openSystemObserver({ root, ask })(signal)
  expect(image).toMatchObject({ reference: 'quay.io/os:42', digest, labels: { team: 'edge' } })
})

it('labels that no program knows are those that the builder wrote into the image', async () => {
  const root = await rootWith({ ...files, 'usr/share/buildinfo/labels.json': '{"team":"till"}' })
  const { image } = await openSystemObserver({ root, ask: programs({ bootc }).ask })(signal)
  expect(image.labels).toEqual({ team: 'till' })
})

it('a package-mode machine is told by its os-release alone', async () => {
  const text = 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n'
  const root = await rootWith({ 'usr/lib/os-release': text })
  const system = await openSystemObserver({ root, ask: programs({}).ask })(signal)
  expect(system).toMatchObject({
    bootId: '',
    os: { id: 'debian', version: '12', name: 'Debian GNU/Linux' },
    image: { reference: '', digest: '', version: '', labels: {} },
  })
  expect(systemLines(system)[0]).toBe('runs    no image that its own tools know of')
})

it('what cannot be read is unknown, and no reason to fail', async () => {
  const root = await rootWith({ 'etc/os-release/a-folder': '', 'usr/lib/os-release': 'x'.repeat(300_000) })
  const system = await openSystemObserver({ root, ask: programs({ bootc: 'error' }).ask })(signal)
  expect(system).toMatchObject({ os: { id: '', version: '', name: '' }, image: { reference: '' } })
  expect(systemLines(system)).toContain('system  unknown')
})

it('programs of this machine that are not there are no reason to fail either', async () => {
  const root = await rootWith(files)
  const system = await openSystemObserver({ root })(signal)
  expect(system.os.id).toBe('fedora')
})

it('the image is asked for once in a boot, and again after an hour, another boot, or when nobody could say', async () => {
  const root = await rootWith(files)
  const { ask, asked } = programs({ bootc })
  let nowMs = 0
  const observe = openSystemObserver({ root, ask, elapsedMs: () => nowMs })
  const times = async (): Promise<number> => {
    await observe(signal)
    return asked.filter((name) => name === 'bootc').length
  }
  expect(await times()).toBe(1)
  expect(await times()).toBe(1)
  nowMs = 60 * 60_000 + 1
  expect(await times()).toBe(2)
  await writeFile(join(root, 'proc/sys/kernel/random/boot_id'), 'boot-2\n')
  expect(await times()).toBe(3)

  const silent = programs({})
  const again = openSystemObserver({ root, ask: silent.ask })
  await again(signal)
  await again(signal)
  expect(silent.asked).toEqual(['bootc', 'rpm-ostree', 'bootc', 'rpm-ostree'])
})

it('its report has what runs, and neither plan, health nor a wish of its own', async () => {
  const root = await rootWith(files)
  const system = await openSystemObserver({ root, ask: programs({ bootc, 'rpm-ostree': rpmOstree }).ask })(
    signal,
  )
  const report = toSystemReport('db', system, 'sealed')
  expect(report).toMatchObject({
    hostName: 'db',
    phase: Phase.IDLE,
    bootedDigest: '',
    bootedManifestDigest: digest,
    bootedVersion: '42.1',
    bootId: 'boot-1',
    health: { verdict: Verdict.UNKNOWN },
    facts: {
      driver: 'report-only',
      keysKept: 'sealed',
      osName: 'Fedora Linux 42 (IoT)',
      imageReference: 'quay.io/os:42',
      imageLabels: { team: 'edge' },
    },
  })
  expect(report.plan).toBeUndefined()
  expect(systemLines(system)).toEqual([
    'runs    quay.io/os:42',
    'version 42.1',
    `digest  ${digest}`,
    'system  Fedora Linux 42 (IoT)',
    'label   team=edge',
    'plan    none: this host only reports (driver: report-only), and is never updated',
  ])
})
