import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openSmallFleet } from '../support/small-fleet.ts'

test('a controller that is stopped while git waits for an answer releases its lease and ends in order', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/fleet.git`
  const world = await openSmallFleet({ settings: { git: { url, pollInterval: '1h' } } })
  onTestFinished(() => world.stop())
  await expect.poll(() => sockets.length, { timeout: 60_000 }).toBeGreaterThan(0)

  await world.controller.stop()
  expect(await world.controller.log()).toMatch(/"msg":"stopped"\}\n$/)
  await world.controller.start()
  await expect.poll(() => world.controller.log(), { timeout: 60_000 }).toContain('"term":2,"msg":"leading"')
  expect(await world.controller.log()).not.toContain('lease not released')
})
