import { imageWord, instantWord } from '../../proto/picture/words.ts'
import type { FleetDenial } from '../offline/fleet-denial.ts'

/** Since when, by whom and why something is denied, and then what to do about it. */
export function denialSentences(denials: readonly FleetDenial[]): readonly string[] {
  if (denials.length === 0) return []
  const ways = denials.map((denial) => wayOut(denial))
  return [
    ...denials.map(sentenceOf),
    `name another digest in git; or, if it is good after all: ${ways.join(' and ')}`,
  ]
}

function sentenceOf({ actor, atMs, origin, reason }: FleetDenial): string {
  const since = atMs === null ? '' : ` since ${instantWord(atMs)}`
  const why = reason === `denied by ${actor}` ? '' : `: ${reason}`
  return `denied${since} ${byWhom(origin, actor)}${why}`
}

function byWhom(origin: string, actor: string): string {
  switch (origin) {
    case 'Git':
      return 'by these files'
    case 'Rollback':
      return actor === '' ? 'by a rollback' : `by a rollback that ${actor} ordered`
    case 'Host':
      return 'by its hosts'
    default:
      return actor === '' ? 'by an operator' : `by ${actor}`
  }
}

function wayOut({ digest, fleet, origin }: FleetDenial): string {
  return origin === 'Git'
    ? `take it out of deny of fleet ${fleet}`
    : `bootfleet allow ${fleet} ${imageWord('', digest)} --reason "…"`
}
