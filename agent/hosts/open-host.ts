import { join } from 'node:path'
import type { HostConfig } from '../config.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { CheckResult, HostDriver } from './host-driver.ts'
import { realMachine } from './real-machine.ts'
import { openSimulatedHost } from './simulated.ts'
import { sysrootMachine } from './sysroot-machine.ts'

/** The driver that the configuration names. */
export async function openHost(config: HostConfig, stateDir: string): Promise<HostDriver> {
  switch (config.driver) {
    case 'container-snap': {
      const { command, sysroot, env } = config
      const machine = sysroot === undefined ? realMachine() : sysrootMachine(sysroot)
      return openContainerSnapHost({ command, machine, env })
    }
    case 'simulated': {
      const { image, failing, unbootable, stepDelayMs } = config
      return openSimulatedHost({
        path: join(stateDir, 'simulated-machine.json'),
        seed: image,
        stepDelayMs,
        check: (name, version) => simulatedCheck(name, failing.includes(version)),
        bootFails: (version) => unbootable.includes(version),
      })
    }
  }
}

function simulatedCheck(name: string, fails: boolean): CheckResult {
  if (!fails) return { kind: 'passed' }
  return { kind: 'failed', detail: `exit status 1: ${name} is told to fail on this version`, final: false }
}
