import { join } from 'node:path'
import type { HostConfig } from '../config.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { CheckResult, HostDriver } from './host-driver.ts'
import type { Machine } from './machine.ts'
import { realMachine } from './real-machine.ts'
import { openSimulatedHost } from './simulated.ts'
import { sysrootMachine } from './sysroot-machine.ts'

/** What a configuration of container-snap runs on. */
export function openMachine({ sysroot }: Extract<HostConfig, { driver: 'container-snap' }>): Machine {
  return sysroot === undefined ? realMachine() : sysrootMachine(sysroot)
}

/** The driver that the configuration names. */
export async function openHost(config: HostConfig, stateDir: string): Promise<HostDriver> {
  switch (config.driver) {
    case 'container-snap': {
      const { command, env } = config
      return openContainerSnapHost({ command, machine: openMachine(config), env })
    }
    case 'simulated': {
      const { image, failing, offline, unbootable, stepDelayMs } = config
      return openSimulatedHost({
        path: join(stateDir, 'simulated-machine.json'),
        seed: image,
        stepDelayMs,
        check: (name, version) =>
          simulatedCheck(name, (name === 'reachController' ? offline : failing).includes(version)),
        bootFails: (version) => unbootable.includes(version),
      })
    }
  }
}

function simulatedCheck(name: string, fails: boolean): CheckResult {
  if (!fails) return { kind: 'passed' }
  return { kind: 'failed', detail: `exit status 1: ${name} is told to fail on this version`, final: false }
}
