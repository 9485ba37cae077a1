import { join } from 'node:path'
import type { Logger } from 'pino'
import { VERSION } from '../proto/version.ts'
import type { Network } from './checks.ts'
import type { FollowingConfig } from './config.ts'
import type { Contact } from './contact.ts'
import { inForce } from './credentials.ts'
import { watchEtc } from './etc-watch.ts'
import type { EtcWatch } from './etc-watch.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import type { Identity } from './identity/identity.ts'
import type { HostTrust } from './identity/trust.ts'
import { runBoot } from './loop.ts'
import type { Mailbox } from './mailbox.ts'
import { prepareUntilDone, readLoaderUntilDone } from './preparing.ts'
import type { HostDescription } from './report/report.ts'
import type { Reporter } from './report/reporter.ts'
import type { openTelling } from './report/telling.ts'
import type { Sealing } from './sealing.ts'

export type BootsOptions = {
  readonly config: FollowingConfig
  readonly driver: HostDriver
  readonly identity: Identity
  readonly sealing: Sealing
  readonly trust: HostTrust
  readonly tellingOf: ReturnType<typeof openTelling>
  readonly reporter: Reporter
  readonly mailbox: Mailbox
  readonly contact: Contact
  readonly network: Network
  readonly log: Logger
  readonly checkIntervalMs?: number
}

const ETC_TIMES = { lookEveryMs: 60 * 60_000, tellEveryMs: 6 * 60 * 60_000 } as const

/** One boot of the host after the other, where the agent survives its reboots. Resolves when `signal` has fired. */
export async function runBoots(options: BootsOptions, signal: AbortSignal): Promise<void> {
  const { config, identity, trust, driver, log, reporter, mailbox, contact, network } = options
  for (let ended = ''; ended !== 'Stopped' && !signal.aborted;) {
    if (ended === 'Rebooted') await prepareUntilDone(driver, log, signal)
    const { onEtc, ...telling } = options.tellingOf(await describe(options, signal))
    const etc = watchEtc({ ...ETC_TIMES, driver, onEtc, now: Date.now, log }, signal)
    try {
      ended = await runBoot({
        driver: leftAlone(driver, etc),
        identity: inForce(identity),
        believed: trust.believed,
        mailbox,
        contact,
        network,
        log,
        signal,
        statePath: join(config.stateDir, 'state.json'),
        checkIntervalMs: options.checkIntervalMs ?? 1_000,
        ...telling,
        onProgress: (doneBytes, totalBytes) => reporter.progress(doneBytes, totalBytes),
      })
    } finally {
      await etc.end()
    }
  }
}

function leftAlone(driver: HostDriver, etc: EtcWatch): HostDriver {
  return {
    ...driver,
    reboot: async (signal) => {
      await etc.end()
      await driver.reboot(signal)
    },
  }
}

async function describe(
  { driver, config, sealing, log }: BootsOptions,
  signal: AbortSignal,
): Promise<HostDescription> {
  const { id: osId, version: osVersion } = await driver.osRelease()
  const { architecture, name } = driver
  const { kernelLine, guard: bootGuard } = await readLoaderUntilDone(driver, log, signal)
  const system = { architecture, osId, osVersion, driver: name, kernelLine, bootGuard }
  return { hostName: config.name, agentVersion: VERSION, keysKept: sealing.kept, ...system }
}
