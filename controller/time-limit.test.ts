import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { withTimeLimit } from './time-limit.ts'

const waitFor = (ms: number) => (signal: AbortSignal) => sleep(ms, 'done', { signal })

test('work that ends in time returns its result', async () => {
  expect(await withTimeLimit(new AbortController().signal, 5_000, waitFor(1))).toBe('done')
})

test('the limit fires even when garbage is collected meanwhile', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const working = withTimeLimit(new AbortController().signal, 200, waitFor(20_000))
  const collecting = setInterval(collect, 20)
  await expect(working).rejects.toMatchObject({ cause: { name: 'TimeoutError' } })
  clearInterval(collecting)
})

test('the outer signal stops it at once', async () => {
  const outer = new AbortController()
  const working = withTimeLimit(outer.signal, 20_000, waitFor(20_000))
  outer.abort(new Error('stopped'))
  await expect(working).rejects.toMatchObject({ cause: { message: 'stopped' } })
})
