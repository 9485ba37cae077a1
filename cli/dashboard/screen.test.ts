import { Terminal } from '@xterm/headless'
import { expect, it, vi } from 'vitest'
import { dashboardAt, failingStatus, keys, normalStatus, seen, textOf } from '../../test/support/dashboard.ts'
import { plain, styleFor } from '../render/style.ts'
import type { Tty } from '../terminal.ts'
import { drawLines } from './draw.ts'
import { line, span } from './line.ts'
import { openPace } from './pace.ts'
import { openScreen } from './screen.ts'
import { drawView } from './view.ts'

const size = { width: 80, height: 24 }

/** What a real terminal makes of the bytes. */
function openTerminal(): { tty: Tty; show: () => Promise<string>; raw: Terminal; restore: () => void } {
  const raw = new Terminal({ cols: size.width, rows: size.height, allowProposedApi: true })
  let restoring = (): void => undefined
  const show = (): Promise<string> =>
    new Promise((resolve) => {
      raw.write('', () => {
        const { active } = raw.buffer
        const rows = Array.from(
          { length: size.height },
          (_, row) => active.getLine(row)?.translateToString(true) ?? '',
        )
        resolve(`${rows.map((row) => row.trimEnd()).join('\n')}\n`)
      })
    })
  const tty: Tty = {
    size: () => size,
    write: (text) => raw.write(text),
    isBehind: () => false,
    listen: () => () => undefined,
    beforeEnd(restore) {
      restoring = restore
      return () => undefined
    },
  }
  return { tty, show, raw, restore: () => restoring() }
}

it('shows on a terminal what the view says, before and after each change', async () => {
  const { tty, show } = openTerminal()
  const screen = openScreen(tty, styleFor(true))
  const states = [
    [seen(normalStatus())],
    [seen(failingStatus())],
    [seen(failingStatus()), ...keys('\r')],
    [seen(failingStatus()), ...keys('?')],
    [seen(normalStatus()), ...keys('/la')],
  ]
  for (const messages of states) {
    const model = dashboardAt(size, ...messages)
    screen.draw(drawView(model))
    expect(await show()).toBe(textOf(model))
  }
})

it('writes nothing for what did not change', () => {
  const lines = drawView(dashboardAt(size, seen(normalStatus())))
  const { shown } = drawLines(lines, null, plain)
  expect(drawLines(lines, shown, plain).bytes).toBe('')
  const other = drawView(dashboardAt(size, seen(normalStatus()), ...keys('j')))
  expect(drawLines(other, shown, plain).bytes.split(';1H').length).toBeLessThan(6)
})

it('gives the terminal back as it was, once, also from a crash', async () => {
  const { tty, show, raw, restore } = openTerminal()
  raw.write('$ bootfleet status --watch\r\n')
  const screen = openScreen(tty, plain)
  screen.draw([line('ours')])
  expect(await show()).toMatch(/^ours\n/)
  restore()
  expect([await show(), raw.buffer.active.type]).toEqual([expect.stringMatching(/^\$ bootfleet/), 'normal'])
  screen.draw([line('late')])
  screen.close()
  expect(await show()).not.toContain('late')
  expect(raw.modes.bracketedPasteMode).toBe(false)
})

it('draws everything again on a screen that another program wrote to', async () => {
  const { tty, show, raw } = openTerminal()
  const screen = openScreen(tty, plain)
  screen.draw([line('one'), line('two')])
  raw.write('\u001b[2J\u001b[1;1Hnoise')
  screen.forget()
  screen.draw([line('one'), line('two')])
  expect(await show()).toMatch(/^one\ntwo\n\n/)
})

it('paints nothing where colours are not wanted', () => {
  const lines = [line(span('bad', 'bad'))]
  expect(drawLines(lines, [''], styleFor(false)).bytes).not.toContain('[31m')
  expect(drawLines(lines, [''], styleFor(true)).bytes).toContain('\u001b[31mbad')
})

it('draws once for a thousand changes, and not again before its time', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    let drawn = 0
    const pace = openPace(100, () => void (drawn += 1))
    const thousand = (): void => {
      for (let change = 0; change < 1_000; change += 1) pace.request()
    }
    thousand()
    vi.advanceTimersByTime(1)
    expect(drawn).toBe(1)
    thousand()
    vi.advanceTimersByTime(98)
    expect(drawn).toBe(1)
    vi.advanceTimersByTime(2)
    expect(drawn).toBe(2)
    pace.request()
    pace.stop()
    vi.advanceTimersByTime(1_000)
    expect(drawn).toBe(2)
  } finally {
    vi.useRealTimers()
  }
})
