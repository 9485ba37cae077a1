import { findProgram, findProgramsDir } from '../dev/tools.ts'
import { runShown } from '../dev/process.ts'

const timeoutMs = 3 * 3_600_000
/** Time to unmount and detach what an interrupted install has open. */
const graceMs = 60_000

export type InstallOutput = { readonly stdout: 'inherit' | 'ignore'; readonly signal: AbortSignal }

/** container-snap does the work and the talking, on our own stdout and stderr; returns its exit status. */
export async function installToDisk(
  args: readonly string[],
  { stdout, signal }: InstallOutput,
): Promise<number> {
  const containerSnap = await findProgram({ programsDir: await findProgramsDir() }, 'container-snap')
  const command = [containerSnap, 'install', 'to-disk', ...args]
  return runShown(process.execPath, command, { stdout, signal, timeoutMs, graceMs })
}
