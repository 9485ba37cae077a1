import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Status } from './commands/status-view.ts'
import type { Outcome } from './testing/program.ts'
import { systemTree } from './testing/registry.ts'
import type { Pulled, Stage } from './testing/stage.ts'
import { openStage, readLedger } from './testing/stage.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

const command = promisify(execFile)

describe('the ledger and what is really there', () => {
  let stage: Stage
  let sysroot: Sysroot
  let digest = ''
  let imageId = ''
  const snap = (...args: string[]): Promise<Outcome> =>
    stage.program.run('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> =>
    stage.program.value('--sysroot', sysroot.directory, ...args)
  const status = async (): Promise<Status> => JSON.parse(await value('status', '--json')) as Status
  /** Plain podman on the same store; it allows a runroot of 50 characters only. */
  const podman = async (...args: string[]): Promise<void> => {
    const runRoot = await mkdtemp('/tmp/podman-')
    const storage = [
      '--root',
      join(sysroot.store, 'snapshots'),
      '--runroot',
      runRoot,
      '--storage-driver',
      'btrfs',
    ]
    const env = { ...process.env, CONTAINERS_REGISTRIES_CONF: stage.registry.registriesConf }
    await command('podman', [...storage, ...args], { env })
    await rm(runRoot, { recursive: true, force: true })
  }
  const ledgerFile = (): string => join(sysroot.store, 'ledger.json')

  beforeAll(async () => {
    stage = await openStage()
    digest = await stage.registry.push('os:1', [systemTree('1')])
  })
  afterAll(async () => {
    await stage.close()
  })
  beforeEach(async () => {
    sysroot = await openSysroot()
    const text = await value('pull', '--json', `${stage.registry.address}/os@${digest}`)
    imageId = (JSON.parse(text) as Pulled).imageId
    await value('create-snapshot', imageId)
    await value('create-snapshot', imageId)
    await value('switch', `${imageId}-work1`)
    await sysroot.reboot()
    await value('switch', `${imageId}-work2`)
  })
  afterEach(async () => {
    await sysroot.close()
  })

  const content = {
    'cut short': (text: string) => text.slice(0, 200),
    empty: () => '',
    'of another shape': () => '{"version":1}',
  }
  for (const [what, damage] of Object.entries(content)) {
    test(`a ledger that is ${what} is set aside and rebuilt, with the same answers but who moved what boots`, async () => {
      const before = await status()
      await writeFile(ledgerFile(), damage(await readFile(ledgerFile(), 'utf8')))
      const after = await status()
      const withoutTimes = (one: Status): unknown => ({
        ...one,
        current: one.current?.id,
        default: one.default?.id,
        moved: null,
        deployments: one.deployments.map((deployment) => ({ ...deployment, createdAt: '' })),
      })
      expect(withoutTimes(after)).toEqual(withoutTimes(before))
      expect(after.moved).toBeNull()
      for (const { createdAt } of after.deployments) {
        expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(300_000)
      }
      expect(
        (await readdir(sysroot.store)).filter((name) => name.startsWith('ledger.json.damaged-')),
      ).toHaveLength(1)
      expect((await readLedger(sysroot.store)).deployments).toHaveLength(2)
      expect(await value('create-snapshot', imageId)).toBe(`${imageId}-work3`)
    })
  }

  test('a lost ledger is rebuilt without a word', async () => {
    const before = await status()
    await rm(ledgerFile())
    const after = await status()
    expect(after.deployments.map(({ id }) => id)).toEqual(before.deployments.map(({ id }) => id))
    expect(after.current?.digest).toBe(digest)
    expect(await readLedger(sysroot.store).catch(() => null)).toBeNull()
    await value('switch', `${imageId}-work1`)
    expect((await readLedger(sysroot.store)).images[0]?.readyAt).not.toBeNull()
  })

  test("a newer program's ledger is refused, not taken for damaged", async () => {
    await writeFile(ledgerFile(), JSON.stringify({ version: 2, all: 'new' }))
    const outcome = await snap('status')
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain('version 2 is newer than this program')
    expect(await readFile(ledgerFile(), 'utf8')).toContain('all')
  })

  test('what another tool put into the store is taken in: its image, its copy', async () => {
    const other = await stage.registry.push('foreign:1', [systemTree('f')])
    const reference = `${stage.registry.address}/foreign@${other}`
    await podman('pull', '--quiet', reference)
    const foreign =
      (await value('list-images'))
        .split('\n')
        .find((line) => line.includes('foreign'))
        ?.split(',')[0] ?? ''
    const root = (await value('get-root', foreign)).replace(/\/$/, '')
    await command('btrfs', ['subvolume', 'snapshot', root, `${root}-work4`])
    expect(await value('list-snapshots')).toContain(`${foreign}-work4,false`)
    expect((await status()).deployments).toMatchObject([{}, {}, { id: `${foreign}-work4`, digest: other }])
    expect(await value('create-snapshot', foreign)).toBe(`${foreign}-work5`)
    await value('switch', `${foreign}-work4`)
    expect(await value('get-default')).toBe(`${foreign}-work4`)
  })

  test('a copy deleted by hand is forgotten', async () => {
    await value('switch', `${imageId}-work1`)
    await command('btrfs', [
      'subvolume',
      'delete',
      (await value('get-root', `${imageId}-work2`)).replace(/\/$/, ''),
    ])
    expect((await status()).deployments.map(({ id }) => id)).toEqual([`${imageId}-work1`])
    expect((await snap('get-root', `${imageId}-work2`)).status).toBe(3)
  })

  test('a copy whose image is gone is still listed, and can be deleted', async () => {
    await podman('rmi', imageId)
    expect(await value('get-current')).toBe(`${imageId}-work1`)
    await value('switch', `${imageId}-work1`)
    expect(await snap('delete', '--id', `${imageId}-work2`)).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
