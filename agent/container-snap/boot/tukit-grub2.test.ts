import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { copyPrograms } from '../testing/inside-programs.ts'
import type { BootDeployment } from './loader.ts'
import { openTukitGrub2 } from './tukit-grub2.ts'

const steps = ['zypper', 'dracut', 'grub2-mkconfig', 'pbl'] as const
const contents = [
  'zypper --non-interactive install --force grub2',
  'dracut --force --regenerate-all',
  'grub2-mkconfig -o /boot/grub2/grub.cfg',
]
const installation = ['pbl --install']

/** There is no tukit and no openSUSE here: stand-ins write down how they are called. */
describe('tukit-grub2', () => {
  let base = ''
  let deployment: BootDeployment
  const path = process.env['PATH'] ?? ''
  const logged: string[] = []
  const context = { signal: new AbortController().signal, log: (line: string) => void logged.push(line) }
  const script = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `#!/usr/bin/sh\n${text}\n`)
    await chmod(file, 0o755)
  }
  const standIn = async (name: string, ending = 'exit 0'): Promise<void> =>
    script(join(deployment.root, 'usr/bin', name), `echo "${name} $*" >> /calls\n${ending}`)
  const tukit = async (ending: string): Promise<void> =>
    script(join(base, 'bin/tukit'), `echo "$*" >> ${base}/tukit-calls\n${ending}`)
  const calls = async (file = join(deployment.root, 'calls')): Promise<string[]> =>
    (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'container-snap-grub-'))
    const root = join(base, 'root')
    deployment = { id: `${'a'.repeat(64)}-work1`, imageId: 'a'.repeat(64), number: 1, root, subvolume: 'x' }
    for (const folder of ['dev', 'proc', 'sys', 'run']) await mkdir(join(root, folder), { recursive: true })
    await copyPrograms(root, ['sh', 'cat'])
    for (const name of steps) await standIn(name)
    process.env['PATH'] = `${join(base, 'bin')}:${path}`
    logged.length = 0
  })
  afterEach(async () => {
    process.env['PATH'] = path
    await rm(base, { recursive: true, force: true })
  })

  test('staging makes the contents in the order of the original, by call where there is no tukit', async () => {
    await openTukitGrub2(context, '/').stage(deployment)
    expect(await calls()).toEqual(contents)
    expect(logged).toEqual([
      `without tukit: ask tukit for ${deployment.id}: tukit is not installed; install it and try again`,
    ])
  })

  test('only the activation installs the loader, which all deployments share', async () => {
    const loader = openTukitGrub2(context, '/')
    await loader.stage(deployment)
    await loader.activate(deployment, { activation: 1, counted: true })
    expect(await calls()).toEqual([...contents, ...installation])
  })

  test('where tukit can call in the deployment, it does all of it', async () => {
    await tukit('exit 0')
    const loader = openTukitGrub2(context, '/')
    await loader.stage(deployment)
    await loader.activate(deployment, { activation: 1, counted: true })
    const by = (step: string): string => `call ${deployment.id} ${step}`
    expect(await calls(join(base, 'tukit-calls'))).toEqual([
      by('true'),
      ...contents.map(by),
      by('true'),
      ...installation.map(by),
    ])
    expect(await calls()).toEqual([])
  })

  test('a tukit without the backend is asked once, and then done without', async () => {
    await tukit('echo "ERROR: snapper not found" >&2; exit 1')
    await openTukitGrub2(context, '/').stage(deployment)
    expect(await calls(join(base, 'tukit-calls'))).toEqual([`call ${deployment.id} true`])
    expect(await calls()).toEqual(contents)
    expect(logged).toEqual([`without tukit: ask tukit for ${deployment.id}: ERROR: snapper not found`])
  })

  test("another machine's disk is not the tukit's of this one", async () => {
    await tukit('exit 0')
    await openTukitGrub2(context, base).stage(deployment)
    expect(await calls(join(base, 'tukit-calls'))).toEqual([])
    expect(await calls()).toEqual(contents)
  })

  test('the first step that fails is the last one, by its own words', async () => {
    await standIn('dracut', 'echo "no module btrfs" >&2; exit 3')
    await expect(openTukitGrub2(context, '/').stage(deployment)).rejects.toMatchObject({
      code: 'storage-failed',
      message: `run dracut --force --regenerate-all in ${deployment.id}: no module btrfs`,
    })
    expect(await calls()).toEqual(contents.slice(0, 2))
  })

  test('its root is a mount point, for grub2-mkconfig asks for the file system of /', async () => {
    await standIn('grub2-mkconfig', 'cat /proc/self/mountinfo > /mounts')
    await openTukitGrub2(context, '/').stage(deployment)
    const points = (await readFile(join(deployment.root, 'mounts'), 'utf8'))
      .split('\n')
      .map((line) => line.split(' ')[4])
    expect(points).toEqual(expect.arrayContaining(['/', '/dev', '/proc', '/sys', '/run']))
  })

  test('it has no entries, so marks and repairs are nothing to it', async () => {
    const loader = openTukitGrub2(context, '/')
    await loader.markBad(deployment)
    await loader.bless(deployment)
    expect(await loader.entries()).toEqual([])
    expect(await loader.repair([])).toEqual([])
    expect(await loader.keepOnly([])).toBe(0)
    expect(await calls()).toEqual([])
  })
})
