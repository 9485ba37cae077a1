import type { HostStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { factsOf } from '../../proto/picture/sentences.ts'
import { clockWord, lookOf, spanWord } from '../../proto/picture/words.ts'
import { textSection, titleLine } from './layout.ts'
import type { Section } from './layout.ts'
import { line, padded, span, wrapText } from './line.ts'
import type { Line } from './line.ts'
import type { Model, Place } from './model.ts'

/** Of one text: more is no text that a person reads. */
const LINES_MAX = 20
const FACT_WIDTH = 17

/** What keeps the host from its next step comes first, then what it is. */
export function hostSections(
  model: Model,
  { fleet, host: name }: Extract<Place, { kind: 'host' }>,
): readonly Section[] {
  const host = model.slots.hosts.value?.find((each) => each.name === name)
  return [
    textSection(whyLines(model, { fleet, name })),
    ...(host === undefined ? [] : factSections(host, model)),
  ]
}

function whyLines(
  { slots, nowMs, size }: Model,
  { fleet, name }: { readonly fleet: string; readonly name: string },
): readonly Line[] {
  const { value: why, failure, answeredAtMs } = slots.why
  const head = line(span(name, 'strong'), `  of fleet ${fleet}`)
  if (why === null) {
    const text = failure === '' ? 'asking what keeps it' : `not known: ${failure}`
    return [head, ...wrapText(text, size.width - 2, 3).map((part) => line('  ', span(part, 'quiet')))]
  }
  const look = lookOf(why.phase === '' ? 'Pending' : why.phase)
  const since = why.sinceMs === 0n ? '' : `, since ${spanWord(nowMs - Number(why.sinceMs))}`
  return [
    [
      ...head,
      ...line('  ', span(look.text, look.tone), span(`${since} · as of ${clockWord(answeredAtMs)}`, 'quiet')),
    ],
    ...wrapText(
      `${why.reason === 'Progressing' ? '' : `${why.reason}: `}${why.message}`,
      size.width - 2,
      LINES_MAX,
    ).map((part) => line('  ', part)),
    ...wrapText(why.next === '' ? '' : `next: ${why.next}`, size.width - 2, LINES_MAX).map((part) =>
      line('  ', part),
    ),
    ...(failure === '' ? [] : [line(span(`  no newer answer: ${failure}`, 'bad'))]),
  ]
}

function factSections(host: HostStatus, { slots, size }: Model): readonly Section[] {
  const { width } = size
  const facts = factsOf(host).flatMap(([name, value]) =>
    wrapText(value, width - FACT_WIDTH, LINES_MAX).map((part, at) =>
      line(span(padded(at === 0 ? `  ${name}` : '', FACT_WIDTH), 'quiet'), part),
    ),
  )
  const evidence = host.evidence.flatMap((text) => wrapText(text, width - 4, LINES_MAX))
  const title = titleLine('what it saw of boots that failed', '', width)
  return [
    textSection(
      evidence.length === 0 ? [] : [title, ...evidence.map((text) => line('  ', span(text, 'bad')))],
    ),
    textSection([titleLine('host', `as of ${clockWord(slots.hosts.answeredAtMs)}`, width), ...facts]),
  ]
}
