import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { findFirmware } from './firmware.ts'
import { qemuArguments, startMachine } from './machine.ts'
import type { MachineOptions } from './machine.ts'

it('doubles the commas of paths, which QEMU takes for the end of a value', async () => {
  const args = qemuArguments(await options('/tmp/a,b'), { variables: '/v,w', consolePath: '/c' })
  expect(args).toContainEqual(expect.stringMatching(/format=raw,.*file=\/tmp\/a,,b\/disk\.raw$/))
  expect(args).toContainEqual(expect.stringMatching(/file=\/v,,w$/))
})

it('forwards ports of the loopback only', async () => {
  const forwards = [{ hostPort: 2222, guestPort: 22 }]
  const args = qemuArguments({ ...(await options('/d')), forwards }, { variables: '/v', consolePath: '/c' })
  expect(args).toContain('user,id=network,hostfwd=tcp:127.0.0.1:2222-:22')
})

it('starts the firmware with its console in a file, and is gone when it is stopped', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-machine-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await writeFile(join(dir, 'disk.raw'), '')
  await truncate(join(dir, 'disk.raw'), 1024 * 1024)
  const machine = await startMachine(await options(dir))
  onTestFinished(machine.stop)
  await expect.poll(machine.console, { timeout: 60_000, interval: 250 }).toContain('BdsDxe: ')
  await machine.stop()
  expect(await machine.ended).toMatch(/^(was ended by SIGTERM|ended with 0)$/)
}, 90_000)

async function options(dir: string): Promise<MachineOptions> {
  return {
    dir,
    disk: { path: join(dir, 'disk.raw'), format: 'raw' },
    firmware: await findFirmware(),
    qemu: 'qemu-system-x86_64',
    memoryMiB: 256,
    accelerator: 'tcg',
    onReboot: 'end',
    forwards: [],
  }
}
