import type { AuditEntry } from '../../proto/audit-entry.ts'
import { fingerprintOf } from '../../proto/join-token.ts'
import { ControllerError } from '../errors.ts'
import { findHost } from '../orders/targets.ts'
import { nameOf } from '../rollout/host-names.ts'
import type { RolloutEngineState } from '../rollout/state.ts'

type IsAbout = (entry: AuditEntry) => boolean

const SHOWN_MAX = 100
/** What `name` in the subject of these is: a host's; that of others is an operator's. */
const NAMES_A_HOST: ReadonlySet<string> = new Set(['ApproveJoin', 'Enrol', 'EnrolHost'])
/** Without a fleet they are of each. */
const OF_EVERY_FLEET: ReadonlySet<string> = new Set(['Halt', 'Unhalt'])

/**
 * Which entries are about an object, written as TYPE/NAME; empty: about whatever. What does not exist any more, or
 * not yet, has its entries all the same.
 * @throws ControllerError RequestInvalid.
 */
export function entriesAbout(about: string, state: () => RolloutEngineState): IsAbout {
  if (about === '') return () => true
  const [type = '', name = '', ...rest] = about.split('/')
  if (name === '' || rest.length > 0) throw unreadable(about)
  switch (type) {
    case 'fleet':
      return ({ event, fleet }) => fleet === name || (fleet === '' && OF_EVERY_FLEET.has(event))
    case 'rollout':
      return (entry) => fieldOf(entry, 'rollout') === name || fieldOf(entry, 'target') === name
    case 'host':
      return aboutHost(namesOf(name, state))
    case 'request':
      return (entry) => {
        const id = actingHost(entry)
        const asked = fieldOf(entry, 'host')
        return id === name || asked === name || (id !== null && fingerprintOf(id) === name)
      }
    case 'operator':
      return (entry) =>
        entry.actor === about || (entry.event === 'IssueOperator' && fieldOf(entry, 'name') === name)
  }
  throw unreadable(about)
}

/** Orders name a host by its name, its id or, while it asks to be let in, its fingerprint. */
function aboutHost(names: ReadonlySet<string>): IsAbout {
  return (entry) => {
    const id = actingHost(entry)
    if (id !== null && names.has(id)) return true
    if (names.has(fieldOf(entry, 'host') ?? '')) return true
    return NAMES_A_HOST.has(entry.event) && names.has(fieldOf(entry, 'name') ?? '')
  }
}

function namesOf(nameOrId: string, state: () => RolloutEngineState): ReadonlySet<string> {
  try {
    const host = findHost(state(), nameOrId)
    return new Set([nameOrId, nameOf(host), host.id, fingerprintOf(host.id)])
  } catch (error) {
    // It is gone, or this controller stands by and knows no hosts.
    if (error instanceof ControllerError) return new Set([nameOrId])
    throw error
  }
}

function actingHost({ actor }: AuditEntry): string | null {
  return actor.startsWith('host/') ? actor.slice('host/'.length) : null
}

function fieldOf({ subject }: AuditEntry, field: string): string | null {
  const found = subject.split(' ').find((part) => part.startsWith(`${field}=`))
  return found === undefined ? null : found.slice(field.length + 1)
}

function unreadable(about: string): ControllerError {
  const written = JSON.stringify(about.slice(0, SHOWN_MAX))
  const message = `reading the audit log about ${written}: write host/NAME, fleet/NAME, rollout/ID, request/FINGERPRINT or operator/NAME`
  return new ControllerError('RequestInvalid', message)
}
