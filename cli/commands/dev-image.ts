import { registryAddress } from '../dev/config-files.ts'
import { buildImage } from '../dev/image.ts'
import { devLayout } from '../dev/layout.ts'
import { openPorts } from '../dev/ports.ts'
import { findTools } from '../dev/tools.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { loadContext } from '../session.ts'
import type { Session } from '../session.ts'

export async function runDevImage(session: Session, version: string, broken: boolean): Promise<ExitStatus> {
  const { terminal } = session
  const { devStateDir } = await loadContext(session)
  if (devStateDir === undefined) {
    throw new CliError(
      'ContextInvalid',
      'this context is not of a "bootfleet dev"; point --context at the one dev printed',
    )
  }
  const layout = devLayout(devStateDir)
  const tools = await findTools(terminal.environment)
  const registry = registryAddress(await openPorts(layout))
  const image = await buildImage(layout, { ...tools, registry, signal: terminal.signal }, { version, broken })
  terminal.out(`${image.repository}@${image.digest}\n`)
  return exitStatus.done
}
