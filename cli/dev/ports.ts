import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import type { DevLayout } from './layout.ts'
import { readState, writeWhole } from './state-file.ts'

const Port = z.int().min(1).max(65_535)
const Ports = z.strictObject({ nats: Port, natsMonitor: Port, registry: Port, controller: Port })
export type Ports = z.infer<typeof Ports>

/** Chosen once and kept: hosts and contexts of a resumed dev find their peers where they were. */
export async function openPorts(layout: DevLayout): Promise<Ports> {
  const kept = await readState(layout.ports, Ports)
  if (kept !== null) return kept
  const [nats, natsMonitor, registry, controller] = await freePorts()
  const ports = { nats, natsMonitor, registry, controller }
  await writeWhole(layout.ports, `${JSON.stringify(ports)}\n`)
  return ports
}

async function freePorts(): Promise<[number, number, number, number]> {
  const [first, second, third, fourth] = [
    await holdPort(),
    await holdPort(),
    await holdPort(),
    await holdPort(),
  ]
  // Held together, so that they differ.
  for (const held of [first, second, third, fourth]) await held.release()
  return [first.port, second.port, third.port, fourth.port]
}

/** Free a moment ago: a server that takes it at once has it. */
export async function freePort(): Promise<number> {
  const held = await holdPort()
  await held.release()
  return held.port
}

async function holdPort(): Promise<{ readonly port: number; readonly release: () => Promise<void> }> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    release: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}
