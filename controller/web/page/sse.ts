/** One event of a stream. */
export type StreamEvent = { readonly event: string; readonly data: string }

/** As much as the controller may send in one event, and a little. */
const EVENT_MAX_LENGTH = 5 * 1024 * 1024

/**
 * Reads server-sent events as they come, in whatever pieces. EventSource is not used since it does not tell why a
 * stream was refused. Comments, ids and retry times are passed over.
 * The answer throws Error of an event that is longer than any may be.
 */
export function openSseReader(): (piece: string) => readonly StreamEvent[] {
  let rest = ''
  let event = ''
  let data: string[] = []
  let length = 0
  const take = (line: string): StreamEvent | null => {
    if (line === '') {
      const read =
        data.length === 0 ? null : { event: event === '' ? 'message' : event, data: data.join('\n') }
      event = ''
      data = []
      length = 0
      return read
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    if (field === 'data') data.push(value)
    length += line.length
    return null
  }
  return (piece) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    const events = lines.flatMap((line) => take(line) ?? [])
    if (length + rest.length > EVENT_MAX_LENGTH)
      throw new Error('the controller sent more than a page may hold')
    return events
  }
}
