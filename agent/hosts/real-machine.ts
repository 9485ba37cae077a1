import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { AgentError } from '../errors.ts'
import { run } from '../exec.ts'
import type { Machine } from './machine.ts'

const COMMAND_TIMEOUT_MS = 60_000
/** Services may take their time to stop; past this the reboot did not happen. */
const SHUTDOWN_TIMEOUT_MS = 10 * 60_000

/** The machine the agent runs on. Its reboot ends the process. */
export function realMachine(): Machine {
  return {
    root: '/',
    sysroot: null,
    prepare: async () => {},
    bootId: async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    reboot: async (signal) => {
      await run(['systemctl', 'reboot', '--check-inhibitors=no'], {
        attempt: 'rebooting',
        signal,
        timeoutMs: COMMAND_TIMEOUT_MS,
        // Either would go past the boot loader, which counts the tries and chooses what boots.
        env: { SYSTEMCTL_SKIP_AUTO_SOFT_REBOOT: '1', SYSTEMCTL_SKIP_AUTO_KEXEC: '1' },
      })
      await delay(SHUTDOWN_TIMEOUT_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) throw new AgentError('Stopped', 'waiting for the reboot: stopped')
      throw new AgentError('RebootFailed', `rebooting: still running after ${SHUTDOWN_TIMEOUT_MS} ms`)
    },
  }
}
