import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { create } from '@bufbuild/protobuf'
import { StatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { failingStatus, normalStatus } from '../support/dashboard.ts'
import { builtPage, openWebFor, readingOf, startWebWorld } from '../support/web-page.ts'
import type { WebWorld } from '../support/web-page.ts'

/** The page in Debian's Chromium, behind `bootfleet web`'s own proxy and the controller's own server. */

const patiently = { timeout: 60_000 }
const places = [
  ['#/', 'Fleets', 'wall'],
  ['#/fleet/edge', 'edge', 'fleet'],
  ['#/host/db-1', 'db-1', 'report-only'],
  ['#/host/till-17', 'till-17', 'host'],
] as const
const PICTURES = process.env['WEB_PICTURES']

let browser: Browser
let world: WebWorld
let web: { readonly url: string; close(): Promise<void> }
let context: BrowserContext
let page: Page
let status: Status
/** What the browser complained of: a policy that was broken, a script that threw, a request that left. */
let complaints: string[]

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    ...patiently,
  })
})
afterAll(() => browser.close())

beforeEach(async () => {
  status = now(normalStatus())
  world = await startWebWorld({
    page: await builtPage(),
    pace: { leastMs: 50, mostMs: 500, ageMs: 600_000 },
  })
  world.onRead = (place) => readingOf(status, place)
  web = await openWebFor(world)
  await look({ width: 1280, height: 800 })
})
afterEach(async () => {
  await context.close()
  await web.close()
  await world.close()
})

async function look(
  viewport: { readonly width: number; readonly height: number },
  colorScheme: 'light' | 'dark' = 'light',
): Promise<void> {
  await context?.close()
  context = await browser.newContext({ viewport, colorScheme })
  context.setDefaultTimeout(patiently.timeout)
  page = await context.newPage()
  complaints = []
  page.on('console', (said) => void (said.type() === 'error' && complaints.push(said.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on('request', (asked) => void (asked.url().startsWith(web.url) || complaints.push(asked.url())))
  await page.goto(web.url)
}

/** Waits until what is shown is of this place, and live: going there is nothing that a load ends. */
async function goTo(hash: string, title: string): Promise<void> {
  await page.goto(`${web.url}${hash}`)
  await expect.poll(() => page.title(), patiently).toBe(`${title} · bootfleet`)
  await expect.poll(text, patiently).toContain('● live')
}

/** The tests' status, as of this moment. */
function now(of: Status): Status {
  return create(StatusSchema, { ...of, observedAtMs: BigInt(Date.now()) })
}

const text = (): Promise<string> => page.innerText('body')
const focused = (): Promise<string> =>
  page.evaluate(() => document.activeElement?.textContent?.slice(0, 40) ?? '')

it('shows every fleet, follows changes, and asks nobody but its own server', async () => {
  await expect.poll(text, patiently).toContain('13/120 updated')
  expect(await text()).toContain('live, as of')
  expect(await page.title()).toBe('Fleets · bootfleet')
  status = now(failingStatus())
  world.change()
  await expect.poll(text, patiently).toContain('commit c0ffee0 of main is rejected')
  expect(await page.locator('.wall h2').allInnerTexts()).toEqual(['edge', 'kiosk', 'lab'])
  expect(complaints).toEqual([])
})

it('is gone through with the keyboard alone, and the focus goes to what was opened', async () => {
  await expect.poll(text, patiently).toContain('13/120 updated')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('To the content')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('edge')
  await page.keyboard.press('Enter')
  await expect.poll(text, patiently).toContain('waits for wave "tenth"')
  expect([await focused(), await page.title()]).toEqual(['edge', 'edge · bootfleet'])
  await page.getByRole('link', { name: 'till-17' }).focus()
  await page.keyboard.press('Enter')
  await expect.poll(text, patiently).toContain('Next: nothing by itself')
  await page.goBack()
  await expect.poll(text, patiently).toContain('waits for wave "tenth"')
})

it('has one of each landmark, headings in order, names for all links, and announces only the connection', async () => {
  for (const [hash, title] of places) {
    await goTo(hash, title)
    expect(await page.locator('h2').count()).toBeGreaterThan(1)
    for (const role of ['banner', 'navigation', 'main', 'contentinfo'] as const)
      expect([role, await page.getByRole(role).count()]).toEqual([role, 1])
    const levels = await page.$$eval('h1, h2, h3', (all) => all.map(({ tagName }) => Number(tagName[1])))
    expect(levels[0]).toBe(1)
    expect(levels.slice(1).every((level, index) => level <= (levels[index] ?? 0) + 1)).toBe(true)
    expect(await page.$$eval('a', (all) => all.filter((link) => !link.textContent?.trim()))).toEqual([])
    expect(await page.locator('[aria-live], [role=status], [role=alert]').allInnerTexts()).toEqual(['● live'])
  }
})

it('says since when it is stale while the controller is away, and goes on when it is back', async () => {
  await expect.poll(text, patiently).toContain('● live')
  await world.close()
  await expect.poll(text, patiently).toMatch(/stale since \d\d:\d\d:\d\dZ/)
  expect(await text()).toMatch(/what is below is of .*trying again/)
  expect(await text()).toContain('13/120 updated')
  await world.restart()
  await expect.poll(text, patiently).toContain('● live')
})

it('shows what a controller says that refuses', async () => {
  await expect.poll(text, patiently).toContain('● live')
  world.onCaller = () => {
    throw new Error('a defect')
  }
  await page.reload().catch(() => undefined)
  await expect.poll(text, patiently).toContain('its log says why')
})

it.each([
  [400, 'light'],
  [400, 'dark'],
  [800, 'light'],
  [1280, 'light'],
  [1280, 'dark'],
  [1920, 'light'],
  [1920, 'dark'],
] as const)('fits %i pixels in %s, well and failing, with text that can be read', async (width, scheme) => {
  for (const [name, shown] of [
    ['normal', normalStatus()],
    ['failing', failingStatus()],
  ] as const) {
    status = now(shown)
    for (const [hash, title, place] of places) {
      await look({ width, height: 800 }, scheme)
      await goTo(hash, title)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect([place, name, wide <= 0]).toEqual([place, name, true])
      expect(await faint()).toEqual([])
      expect(complaints).toEqual([])
      await picture(`${place}-${name}-${width}-${scheme}`)
    }
  }
  await world.close()
  await expect.poll(text, patiently).toContain('stale since')
  await picture(`host-stale-${width}-${scheme}`)
})

/** Texts with less contrast than WCAG asks of normal text, 4.5 to 1. */
function faint(): Promise<readonly string[]> {
  return page.evaluate(() => {
    const rgb = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number)
    const light = (colour: readonly number[]): number => {
      const [r = 0, g = 0, b = 0] = colour.map((part) => {
        const share = part / 255
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const ground = (element: Element | null): number[] => {
      if (element === null) return [255, 255, 255]
      const found = rgb(getComputedStyle(element).backgroundColor)
      return found.length === 3 || (found[3] ?? 0) > 0 ? found.slice(0, 3) : ground(element.parentElement)
    }
    return [...document.querySelectorAll('body *')]
      .filter(({ childNodes }) =>
        [...childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim()),
      )
      .filter((element) => {
        const [a, b] = [light(rgb(getComputedStyle(element).color).slice(0, 3)), light(ground(element))]
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5
      })
      .map(({ textContent }) => textContent ?? '')
  })
}

async function picture(name: string): Promise<void> {
  if (PICTURES === undefined) return
  await mkdir(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true })
}
