import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HostDriver } from '../hosts/host-driver.ts'
import { openSimulatedHost } from '../hosts/simulated.ts'
import type { Image } from '../update/types.ts'
import { digestOf } from './plans.ts'

/** A host that runs a first deployment, and an image that it could run. */
export type Bench = {
  readonly driver: HostDriver
  readonly image: Image
  /** Break what a crash in the middle of a reboot would leave broken. */
  readonly crashInReboot: () => Promise<void>
  /** Give a staged deployment a check `good` that passes and one `bad` that prints its last words. */
  readonly addChecks: (deploymentId: string) => Promise<void>
  readonly close: () => Promise<void>
}

export async function openSimulatedBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'bootfleet-simulated-'))
  const driver = await openSimulatedHost({
    path: join(directory, 'machine.json'),
    seed: { digest: digestOf('0'), manifestDigest: digestOf('0'), version: '0' },
    stepDelayMs: 10,
    check: (name) =>
      name === 'good'
        ? { kind: 'passed' }
        : { kind: 'failed', detail: 'exit status 3: last words', final: name !== 'bad' },
  })
  const image = {
    repository: 'r.example/os',
    digest: digestOf('1'),
    manifestDigest: digestOf('1'),
    version: '1',
  }
  return {
    driver,
    image,
    crashInReboot: async () => {},
    addChecks: async () => {},
    close: () => rm(directory, { recursive: true, force: true }),
  }
}
