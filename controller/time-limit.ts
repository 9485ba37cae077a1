/**
 * Run `work` with a signal that fires with `signal`, and after `timeoutMs` with a TimeoutError. A timer and a
 * controller of our own: Node 20 may collect a signal of AbortSignal.timeout that only AbortSignal.any refers to,
 * and then it never fires.
 */
export async function withTimeLimit<Result>(
  signal: AbortSignal,
  timeoutMs: number,
  work: (bounded: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limit = new AbortController()
  const late = (): void => limit.abort(new DOMException(`no end within ${timeoutMs} ms`, 'TimeoutError'))
  const timer = setTimeout(late, timeoutMs)
  try {
    return await work(AbortSignal.any([signal, limit.signal]))
  } finally {
    clearTimeout(timer)
  }
}
