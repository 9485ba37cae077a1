import { create } from '@bufbuild/protobuf'
import { SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderSourceTrouble } from '../render/source.ts'
import { styleFor } from '../render/style.ts'
import { shortHash } from '../render/words.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

export function runSync(session: Session): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    const { source } = await call(client, client.service.sync, create(SyncRequestSchema))
    terminal.out(`${source?.headCommit ?? ''}\n`)
    const trouble = renderSourceTrouble(source, styleFor(terminal.colour))
    if (trouble !== '') {
      terminal.note(trouble)
      return exitStatus.error
    }
    const subject = source?.acceptedSubject ?? ''
    const inForce = source !== undefined && source.acceptedCommit === source.headCommit
    const word = inForce ? 'is in force' : 'is seen and not yet in force'
    terminal.note(
      `✔ commit ${shortHash(source?.headCommit ?? '')}${subject === '' ? '' : ` "${subject}"`} ${word}\n`,
    )
    return exitStatus.done
  })
}
