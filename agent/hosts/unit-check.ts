import { execute } from '../exec.ts'
import type { CheckResult } from './host-driver.ts'
import type { Machine } from './machine.ts'

const SYSTEMCTL_TIMEOUT_MS = 30_000

/** Whether a systemd unit is active. */
export async function checkUnit(machine: Machine, unit: string, signal: AbortSignal): Promise<CheckResult> {
  if (machine.sysroot !== null) {
    return {
      kind: 'failed',
      detail: 'no service manager runs in a root that is mounted elsewhere',
      final: true,
    }
  }
  const options = { attempt: `asking for unit ${unit}`, signal, timeoutMs: SYSTEMCTL_TIMEOUT_MS }
  const { exitCode, stdout, stderr } = await execute(['systemctl', 'is-active', '--', unit], options)
  if (exitCode === 0) return { kind: 'passed' }
  const state = stdout.trim() || stderr.trim() || `exit status ${exitCode}`
  return { kind: 'failed', detail: `is ${state}`, final: false }
}
