import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import { planSubject } from '../proto/subjects.ts'
import { startAgent } from './agent.ts'
import { parseConfig } from './config.ts'
import { openAttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import { digestOf, planFor } from './testing/plans.ts'

const HOSTS = 20

it('many agents live in one process, each with an identity of its own', async () => {
  const authority = openTestAuthority()
  const server = await openAttachServer(authority)
  const nats = await openTestNats(authority)
  const directory = await mkdtemp(join(tmpdir(), 'bootfleet-many-'))
  const stop = new AbortController()
  const log = pino({ level: 'silent' })
  const start = async (name: string) => {
    const config = parseConfig(
      JSON.stringify({
        name,
        stateDir: join(directory, name),
        controller: { address: server.address },
        nats: { url: nats.url },
        host: { driver: 'simulated', image: { digest: digestOf('0'), version: '0' }, stepDelay: 20 },
      }),
      'test',
    )
    const starting = startAgent({ config, log, checkIntervalMs: 50 }, stop.signal)
    await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
    return starting
  }
  try {
    const names = Array.from({ length: HOSTS }, (_, index) => `till-${index}`)
    const agents = await Promise.all(names.map(start))
    for (const { hostId } of agents) {
      nats.connection.publish(planSubject(hostId), sealPlan(planFor(hostId, '1'), authority.directorKey))
    }
    const ended = await Promise.all(
      agents.map(({ hostId }) =>
        server.waitFor((id, report) => id === hostId && report.phase === Phase.HEALTHY, 100_000),
      ),
    )
    expect(new Set(ended.map(({ hostName }) => hostName)).size).toBe(HOSTS)
    expect(new Set(ended.map(({ bootId }) => bootId)).size).toBe(HOSTS)
    stop.abort()
    await Promise.all(agents.map(({ stopped }) => stopped))
  } finally {
    stop.abort()
    await server.close()
    await nats.close()
    authority.close()
    await rm(directory, { recursive: true, force: true })
  }
})
