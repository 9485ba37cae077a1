import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { NatsConnection } from '@nats-io/transport-node'
import { PLAN_STREAM, PLAN_SUBJECTS } from '../../proto/subjects.ts'

export type TestNats = {
  readonly url: string
  readonly connection: NatsConnection
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A real nats-server with the plan stream. */
export async function openTestNats(): Promise<TestNats> {
  const store = await mkdtemp(join(tmpdir(), 'bootfleet-nats-'))
  const port = await freePort()
  const url = `127.0.0.1:${port}`
  const program = resolve(import.meta.dirname, '../../.cache/tools/nats-server')
  const launch = () =>
    spawn(program, ['-js', '-sd', store, '-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  let server = launch()
  const kill = async () => {
    const ended = new Promise((done) => server.once('exit', done))
    server.kill('SIGKILL')
    await ended
  }
  const connection = await connect({
    servers: url,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({
    name: PLAN_STREAM,
    subjects: [PLAN_SUBJECTS],
    max_msgs_per_subject: 1,
    allow_direct: true,
  })
  return {
    url,
    connection,
    kill,
    start: async () => {
      server = launch()
      await new Promise((done) => server.once('spawn', done))
    },
    close: async () => {
      await connection.close()
      await kill()
      await rm(store, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}
