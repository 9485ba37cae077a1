/** One measurement, in a sentence: what was found, and what to do where nothing could be found. */
export type Outcome = {
  readonly kind: 'Passed' | 'Failed' | 'Inconclusive'
  readonly detail: string
}

const DETAIL_LENGTH_MAX = 300

export function passed(detail: string): Outcome {
  return { kind: 'Passed', detail: shown(detail) }
}

export function failed(detail: string): Outcome {
  return { kind: 'Failed', detail: shown(detail) }
}

export function inconclusive(detail: string): Outcome {
  return { kind: 'Inconclusive', detail: shown(detail) }
}

/** It is stored and shown on terminals, and much of it comes from a server or a program. */
function shown(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
  return line.length > DETAIL_LENGTH_MAX ? `${line.slice(0, DETAIL_LENGTH_MAX - 1)}…` : line
}
