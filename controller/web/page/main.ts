import { h, render } from 'preact'
import { follow } from './follow.ts'
import { beginModel, step } from './model.ts'
import type { Message } from './model.ts'
import { placeOfHash, titleOf } from './place.ts'
import { App } from './view.ts'

const CLOCK_EVERY_MS = 1_000

function run(root: HTMLElement): void {
  let model = beginModel(placeOfHash(location.hash), Date.now())
  let following = new AbortController()
  const take = (message: Message): void => {
    model = step(model, message)
    render(h(App, { model }), root)
  }
  const read = (): void => {
    following.abort()
    following = new AbortController()
    const { place } = model
    const { signal } = following
    const tell: Parameters<typeof follow>[1] = (seen) => {
      const atMs = Date.now()
      if (signal.aborted) return
      take(seen.kind === 'read' ? { ...seen, place, atMs } : { ...seen, atMs })
    }
    void follow(place, tell, signal)
  }
  addEventListener('hashchange', () => {
    take({ kind: 'went', place: placeOfHash(location.hash) })
    document.title = `${titleOf(model.place)} · bootfleet`
    // As a new page would: what is read out next is where one came to.
    document.querySelector<HTMLElement>('#title')?.focus()
    scrollTo(0, 0)
    read()
  })
  // Nobody looks: nothing is asked for, and one of the browser's few connections is free for another page.
  document.addEventListener('visibilitychange', () => (document.hidden ? following.abort() : read()))
  document.title = `${titleOf(model.place)} · bootfleet`
  setInterval(() => take({ kind: 'clock', nowMs: Date.now() }), CLOCK_EVERY_MS)
  take({ kind: 'clock', nowMs: Date.now() })
  read()
}

const root = document.querySelector<HTMLElement>('#app')
if (root !== null) run(root)
