export type Task = () => void

type Entry = { readonly atMs: number; readonly order: number; readonly run: Task }

/** What is going to happen, soonest first; what was put in first is first where two instants are the same. */
export type Agenda = { readonly heap: Entry[]; puts: number }

export function newAgenda(): Agenda {
  return { heap: [], puts: 0 }
}

export function put(agenda: Agenda, atMs: number, run: Task): void {
  const { heap } = agenda
  const entry = { atMs, order: agenda.puts, run }
  agenda.puts += 1
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(entry, heap[parent] as Entry)) break
    heap[at] = heap[parent] as Entry
    at = parent
  }
  heap[at] = entry
}

/** The instant of what comes next; null: nothing ever happens again. */
export function nextAtMs({ heap }: Agenda): number | null {
  return heap[0]?.atMs ?? null
}

export function take({ heap }: Agenda): Entry {
  const first = heap[0] as Entry
  const last = heap.pop() as Entry
  if (heap.length === 0) return first
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const isRight = right < heap.length && isBefore(heap[right] as Entry, heap[left] as Entry)
    const child = isRight ? right : left
    if (!isBefore(heap[child] as Entry, last)) break
    heap[at] = heap[child] as Entry
    at = child
  }
  heap[at] = last
  return first
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}
