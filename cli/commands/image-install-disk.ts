import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { runContainerSnap } from '../image/container-snap.ts'
import type { Session } from '../session.ts'

export type InstallDiskOptions = {
  readonly size?: string
  readonly format?: string
  readonly espSize?: string
  readonly karg?: readonly string[]
  readonly agentConfig?: string
  readonly identity?: string
  readonly rootSshAuthorizedKeys?: string
  readonly hostname?: string
  readonly wipe?: true
  readonly json?: true
}

export async function runInstallDisk(
  { terminal }: Session,
  { ref, disk }: { readonly ref: string; readonly disk: string },
  options: InstallDiskOptions,
): Promise<ExitStatus> {
  const status = await runContainerSnap(installArguments(ref, disk, options), {
    stdout: 'inherit',
    signal: terminal.signal,
  })
  return status === 0 ? exitStatus.done : exitStatus.error
}

export function installArguments(ref: string, disk: string, options: InstallDiskOptions): string[] {
  const named: readonly (readonly [string, string | undefined])[] = [
    ['size', options.size],
    ['format', options.format],
    ['esp-size', options.espSize],
    ['agent-config', options.agentConfig],
    ['identity', options.identity],
    ['root-ssh-authorized-keys', options.rootSshAuthorizedKeys],
    ['hostname', options.hostname],
    ...(options.karg ?? []).map((argument) => ['karg', argument] as const),
  ]
  return [
    'install',
    'to-disk',
    '--verbose',
    ...(options.json === true ? ['--json'] : []),
    ...(options.wipe === true ? ['--wipe'] : []),
    // With "=", for a kernel argument may begin with a dash.
    ...named.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    '--',
    ref,
    disk,
  ]
}
