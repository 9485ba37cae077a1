import { findProgram, findProgramsDir } from '../dev/tools.ts'
import { runShown } from '../dev/process.ts'

const timeoutMs = 3 * 3_600_000
/** Time to unmount and detach what an interrupted one has open. */
const graceMs = 60_000

export type ContainerSnapOutput = { readonly stdout: 'inherit' | 'ignore'; readonly signal: AbortSignal }

/** It does the work and the talking, on our own stdout and stderr; returns its exit status. */
export async function runContainerSnap(
  args: readonly string[],
  { stdout, signal }: ContainerSnapOutput,
): Promise<number> {
  const containerSnap = await findProgram({ programsDir: await findProgramsDir() }, 'container-snap')
  return runShown(process.execPath, [containerSnap, ...args], { stdout, signal, timeoutMs, graceMs })
}
