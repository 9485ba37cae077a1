import { h } from 'preact'
import type { JSX } from 'preact'
import type { FleetStatus } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { attentionWords } from '../../../proto/picture/sentences.ts'
import { PlaceLink, State } from './parts.ts'

/** A row for each host of the fleet's rollout that needs attention first. `of` says which fleet, where that is not plain. */
export function attentionOf({ rollout }: FleetStatus, of = ''): readonly JSX.Element[] {
  return (rollout?.attention ?? []).map((host) =>
    h('li', { key: host.hostId }, [
      h(
        'span',
        { class: 'name' },
        h(PlaceLink, { place: { kind: 'host', host: host.hostName } }, host.hostName),
      ),
      h(State, { state: host.phase }),
      h('span', { class: 'said' }, [
        h('span', { class: 'quiet' }, `${of}wave ${host.wave}: `),
        attentionWords(host),
      ]),
    ]),
  )
}
