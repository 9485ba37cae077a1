import { fingerprintOf } from '../../proto/join-token.ts'
import { ControllerError } from '../errors.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import type { Replaced, RequestRecord, TokenRecord } from './token-record.ts'

/** Revokes a host and takes its name from it, so that another key can have it. Again it changes nothing. */
export type Retiring = (order: {
  readonly replaced: Replaced
  readonly actor: string
  readonly reason: string
}) => Promise<void>

type Wish = {
  readonly labels: Readonly<Record<string, string>>
  readonly uses: number
  readonly autoApprovals: number
  readonly replaces: string
}

/**
 * What a token for new hardware has of the old: its labels, below those of the wish, and who it was.
 * @throws ControllerError NotFound, RequestInvalid where more than one could come, or one without a person.
 */
export function replacedBy(
  { labels, uses, autoApprovals, replaces }: Wish,
  enrolments: readonly EnrolmentRecord[],
): Pick<TokenRecord, 'labels' | 'replaces'> {
  if (replaces === '') return { labels }
  const attempt = `making a token to replace ${replaces}`
  if (uses !== 1 || autoApprovals !== 0)
    throw new ControllerError(
      'RequestInvalid',
      `${attempt}: one host takes its place, and a person lets it in`,
    )
  const named = (record: EnrolmentRecord): boolean => record.name === replaces
  const old = enrolments.find(named) ?? enrolments.find(({ hostId }) => hostId === replaces)
  if (old === undefined)
    throw new ControllerError(
      'NotFound',
      `${attempt}: there is no such host; "bootfleet get hosts" lists them`,
    )
  const { hostId, name } = old
  return { labels: { ...old.labels, ...labels }, replaces: { hostId, name } }
}

/**
 * The old host goes before the new one comes: cut off in between there is none of them, and approving again goes on.
 * @throws ControllerError RequestInvalid for another name, Conflict where the key is that of the old host.
 */
export async function takePlace(
  { hostId, token }: RequestRecord & { readonly token: TokenRecord },
  { name, actor }: { readonly name: string; readonly actor: string },
  retire: Retiring,
): Promise<void> {
  const { replaces } = token
  if (replaces === undefined) return
  const attempt = `approving ${fingerprintOf(hostId)}`
  if (name !== replaces.name)
    throw new ControllerError(
      'RequestInvalid',
      `${attempt}: it takes the place of ${replaces.name}, and its name`,
    )
  if (hostId === replaces.hostId)
    throw new ControllerError('Conflict', `${attempt}: it is the very host that its token replaces`)
  await retire({ replaced: replaces, actor, reason: `replaced by ${fingerprintOf(hostId)}` })
}

/** A name as hosts may have, of at most 63 letters, that nobody would give. */
export function retiredName({ hostId, name }: Replaced): string {
  return `${name.slice(0, 45)}.replaced-${hostId.slice(0, 8)}`
}
