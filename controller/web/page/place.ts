/** What is looked at. It stands in the address, so that back, reload and bookmarks do what they do elsewhere. */
export type Place =
  | { readonly kind: 'wall' }
  | { readonly kind: 'fleet'; readonly fleet: string }
  | { readonly kind: 'host'; readonly host: string }

/** The longest name that a fleet or host can have. */
const NAME_MAX = 63
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** What is no place leads to the wall. */
export function placeOfHash(hash: string): Place {
  const [kind = '', name = '', ...more] = hash.replace(/^#?\/?/, '').split('/')
  return more.length > 0 ? { kind: 'wall' } : (placeNamed(kind, name) ?? { kind: 'wall' })
}

export function hashOf(place: Place): string {
  switch (place.kind) {
    case 'wall':
      return '#/'
    case 'fleet':
      return `#/fleet/${place.fleet}`
    case 'host':
      return `#/host/${place.host}`
  }
}

/** As the stream is asked for it. */
export function queryOf(place: Place): string {
  switch (place.kind) {
    case 'wall':
      return ''
    case 'fleet':
      return `?fleet=${place.fleet}`
    case 'host':
      return `?host=${place.host}`
  }
}

/** Null for what the page would not ask for. */
export function placeOfQuery(query: Readonly<Record<string, string>>): Place | null {
  const [asked, ...more] = Object.entries(query)
  if (asked === undefined) return { kind: 'wall' }
  return more.length > 0 ? null : placeNamed(asked[0], asked[1])
}

export function titleOf(place: Place): string {
  switch (place.kind) {
    case 'wall':
      return 'Fleets'
    case 'fleet':
      return place.fleet
    case 'host':
      return place.host
  }
}

function placeNamed(kind: string, name: string): Place | null {
  if (name.length > NAME_MAX || !NAME.test(name)) return null
  if (kind === 'fleet') return { kind, fleet: name }
  return kind === 'host' ? { kind, host: name } : null
}
