import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { runContainerSnap } from '../image/container-snap.ts'
import type { Session } from '../session.ts'

export type ImageLintOptions = { readonly profile?: string; readonly json?: true }

export async function runImageLint(
  session: Session,
  ref: string,
  { profile, json }: ImageLintOptions,
): Promise<ExitStatus> {
  const asked = profile === undefined ? [] : [`--profile=${profile}`]
  return look(session, ['lint', '--fetch', ...asked, ...asJson(json), '--', ref])
}

export async function runImageDiff(
  session: Session,
  { from, to }: { readonly from: string; readonly to: string },
  { json }: { readonly json?: true },
): Promise<ExitStatus> {
  return look(session, ['diff', '--fetch', ...asJson(json), '--', from, to])
}

function asJson(json: true | undefined): readonly string[] {
  return json === true ? ['--json'] : []
}

async function look({ terminal }: Session, args: readonly string[]): Promise<ExitStatus> {
  const status = await runContainerSnap(args, { stdout: 'inherit', signal: terminal.signal })
  return status === 0 ? exitStatus.done : exitStatus.error
}
