import { spawn } from 'node:child_process'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { operatorOf } from '../support/operator-context.ts'
import { letIn } from '../support/simulated-fleet.ts'
import { openSmallFleet } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist')
const patiently = { timeout: 180_000, interval: 1_000 }
const digest = `sha256:${'a'.repeat(64)}`

const root = {
  id: 'root-work1',
  digest,
  manifestDigest: digest,
  blessed: true,
  bad: null,
  entry: null,
  triesLeft: null,
}
const status = {
  current: { id: root.id },
  default: { id: root.id },
  activated: null,
  deployments: [root],
  kernelLine: null,
}

/** container-snap of a machine that no fleet selects, so that nobody asks it for more than to look. */
async function writeProgram(path: string): Promise<void> {
  const text = `#!/bin/sh
case "$1" in
  status) echo '${JSON.stringify(status)}' ;;
  repair) echo '{"done":[]}' ;;
  etc-diff) cat "$(dirname "$0")/etc-diff.json" ;;
  *) echo "no $1 here" >&2; exit 1 ;;
esac
`
  await writeFile(path, text, { mode: 0o755 })
}

async function startAgent(world: SmallFleet, name: string): Promise<() => Promise<void>> {
  const stateDir = join(world.dir, name)
  const config = join(stateDir, 'agent.yaml')
  const settings = {
    name,
    stateDir,
    controller: { address: world.controller.address },
    nats: { url: world.nats.url },
    identity: { seal: 'never' },
    host: { driver: 'container-snap', command: join(stateDir, 'container-snap') },
  }
  await writeFile(config, JSON.stringify(settings))
  const child = spawn(join(PROGRAMS, 'bootfleet-agent'), ['run', '--config', config], { stdio: 'ignore' })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }
  onTestFinished(stop)
  return stop
}

test('what a person changed in /etc of a host is listed by describe --etc, and looked at anew when its agent starts', async () => {
  const world = await openSmallFleet()
  onTestFinished(() => world.stop())
  const bootfleet = await operatorOf(world)
  const stateDir = join(world.dir, 'till-1')
  await mkdir(stateDir, { recursive: true })
  await writeProgram(join(stateDir, 'container-snap'))
  const changed = async (...paths: readonly string[]): Promise<void> => {
    const file = join(stateDir, 'etc-diff.json')
    await writeFile(
      `${file}.new`,
      JSON.stringify({ changes: paths.map((path) => ({ path, kind: 'added' })) }),
    )
    await rename(`${file}.new`, file)
  }
  await changed('motd', 'ssh/sshd_config.d/10-local.conf')
  const stop = await startAgent(world, 'till-1')
  await letIn('till-1', join(stateDir, 'identity'), world.controller)

  const described = async (...more: readonly string[]): Promise<string> =>
    (await bootfleet('describe', 'host/till-1', ...more)).out
  await expect.poll(() => described('--etc'), patiently).toMatch(/^\/etc added: +motd$/m)
  const listed = await described('--etc')
  expect(listed).toMatch(/^\/etc: +2 files differ from the image that runs \(looked at 20\d\d-.*Z by/m)
  expect(listed).toMatch(/^\/etc added: +ssh\/sshd_config\.d\/10-local\.conf$/m)
  const short = await described()
  expect(short).toMatch(/^\/etc: +2 files differ from the image that runs; --etc lists them$/m)
  expect(short).not.toContain('sshd_config')
  expect(JSON.parse(await described('-o', 'json'))).toMatchObject({
    etcChanges: { changes: [{ path: 'motd', kind: 'added' }, {}] },
  })
  const all = JSON.parse((await bootfleet('get', 'hosts', '-o', 'json')).out) as object[]
  expect(all).toMatchObject([{ name: 'till-1' }])
  expect(all[0]).not.toHaveProperty('etcChanges')

  await stop()
  await changed('hosts')
  await startAgent(world, 'till-1')
  await expect.poll(() => described('--etc'), patiently).toMatch(/^\/etc added: +hosts$/m)
  expect(await described('--etc')).not.toContain('motd')
})
