import { create } from '@bufbuild/protobuf'
import { SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { sourcesOf } from '../../proto/picture/sentences.ts'
import { shortHash } from '../../proto/picture/words.ts'
import { call } from '../client.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderSourceTrouble } from '../render/source.ts'
import { styleFor } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

export function runSync(session: Session): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    const answer = await call(client, client.service.sync, create(SyncRequestSchema))
    const sources = sourcesOf(answer)
    for (const { headCommit } of sources) terminal.out(`${headCommit}\n`)
    const trouble = renderSourceTrouble(answer, styleFor(terminal.colour))
    if (trouble !== '') terminal.note(trouble)
    if (sources.some(({ error, rejection }) => error !== '' || rejection !== undefined))
      return exitStatus.error
    for (const { headCommit, acceptedCommit, acceptedSubject } of sources) {
      const word = acceptedCommit === headCommit ? 'is in force' : 'is seen and not yet in force'
      const subject = acceptedSubject === '' ? '' : ` "${acceptedSubject}"`
      terminal.note(`✔ commit ${shortHash(headCommit)}${subject} ${word}\n`)
    }
    return exitStatus.done
  })
}
