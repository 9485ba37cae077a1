import { readFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { afterAll } from 'vitest'
import { digestOf } from '../../agent/testing/plans.ts'
import { emptyLedger, parseLedger } from '../../agent/container-snap/ledger.ts'
import { SnapError } from '../../agent/container-snap/errors.ts'
import { readState, writeState } from '../../agent/state-file.ts'
import type { State } from '../../agent/update/types.ts'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'
import { renderDesiredState } from '../../controller/desired-state/render.ts'
import { readAcceptedCommits } from '../../controller/accepted-commits.ts'
import { ControllerError } from '../../controller/errors.ts'
import { enrolmentFromWire } from '../../controller/grpc/operator-requests.ts'
import { reportFromWire } from '../../controller/grpc/report-from-wire.ts'
import { Phase, ReportSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { fuzz, must, refusedAs } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

/** Each is written to a disk. */
const FILE_SHARE = 0.2
const scratch = await mkdtemp(join(tmpdir(), 'bootfleet-fuzz-'))
afterAll(() => rm(scratch, { recursive: true, force: true }))

fuzz('what git says that hosts should run', () => {
  const root = join(import.meta.dirname, '../../examples')
  return {
    seeds: readdirSync(root).map((name) => exampleOf(join(root, name))),
    take: (input): Taken => {
      const parsed = parseDesiredState([{ path: 'fleet.yaml', text: input.toString('utf8') }])
      if (!parsed.ok) {
        must(parsed.issues.length > 0, 'refused without a reason')
        return 'refused'
      }
      const text = renderDesiredState(parsed.desiredState)
      must(parseDesiredState([{ path: 'fleet.yaml', text }]).ok, 'what was taken is not itself again')
      return 'accepted'
    },
  }
})

/** All files of a folder as the documents of one. */
function exampleOf(dir: string): Buffer {
  const files = readdirSync(dir).filter((name) => name.endsWith('.yaml'))
  return Buffer.from(files.map((name) => readFileSync(join(dir, name), 'utf8')).join('\n---\n'))
}

const state: State = {
  version: 1,
  accepted: null,
  at: { phase: 'Idle' },
  phaseEnteredAtMs: 0,
  booted: {
    bootId: 'one',
    current: { deploymentId: 'a-work1', digest: digestOf('a'), manifestDigest: digestOf('a') },
    default: null,
  },
  proven: null,
  reachableAtMs: null,
  etcConflicts: [],
  deniedDigests: [digestOf('b')],
  operation: 1,
}

fuzz("the agent's state file", async () => {
  const path = join(scratch, 'state.json')
  await writeState(path, state)
  return {
    seeds: [readFileSync(path)],
    share: FILE_SHARE,
    take: async (input): Promise<Taken> => {
      await writeFile(path, input)
      const content = await readState(path, 0)
      if (content.kind === 'damaged') await rm(content.setAsideAs)
      return content.kind === 'read' ? 'accepted' : 'refused'
    },
  }
})

fuzz("container-snap's ledger", () => ({
  seeds: [Buffer.from(JSON.stringify(emptyLedger))],
  take: (input): Promise<Taken> =>
    refusedAs([SnapError], () => (parseLedger(input.toString('utf8')) === null ? 'refused' : 'accepted')),
}))

fuzz('the commits that a controller accepted', async () => {
  const path = join(scratch, 'accepted-commit.json')
  const one = { commit: 'abc', subject: 'One', files: [{ path: 'a.yaml', text: '' }] }
  const seed = { term: 1, sources: { git: one }, anchors: {}, signers: [] }
  return {
    share: FILE_SHARE,
    seeds: [Buffer.from(JSON.stringify(seed)), Buffer.from(JSON.stringify({ term: 1, ...one }))],
    take: async (input): Promise<Taken> => {
      await writeFile(path, input)
      return (await readAcceptedCommits(scratch)) === null ? 'refused' : 'accepted'
    },
  }
})

fuzz('the report of a host', () => {
  const report: MessageInitShape<typeof ReportSchema> = {
    phase: Phase.ROLLED_BACK,
    plan: { rollout: 'edge-1', generation: 1n, attempt: 1 },
    bootedDigest: digestOf('a'),
    defaultDigest: digestOf('a'),
    deniedDigests: [digestOf('b')],
    etcConflicts: ['/etc/motd'],
    failure: { code: 'BootFailed', message: 'fell back', evidence: ['tried 3 times'] },
    facts: { architecture: 'amd64' },
    phaseEnteredAtMs: 1n,
  }
  return {
    seeds: [message(ReportSchema, report), message(ReportSchema, { phase: Phase.IDLE })],
    take: (input): Promise<Taken> =>
      fromWire(input, ReportSchema, (read) => {
        const taken = reportFromWire(read)
        must(JSON.stringify(taken).length < 128 * 1024, 'a report was taken that no store has room for')
      }),
  }
})

fuzz('an enrolment by an operator', () => {
  const labels = { site: 'berlin', 'example.org/role': 'web' }
  const request = { certificateRequestPem: 'x', name: 'edge-1', labels }
  return {
    seeds: [message(EnrolHostRequestSchema, request)],
    take: (input): Promise<Taken> =>
      fromWire(input, EnrolHostRequestSchema, (read) => void enrolmentFromWire(read)),
  }
})

function message<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, init)))
}

/** What cannot be decoded never reaches a handler: the server answers it by itself. */
async function fromWire<Desc extends DescMessage>(
  input: Buffer,
  schema: Desc,
  take: (read: ReturnType<typeof fromBinary<Desc>>) => void,
): Promise<Taken> {
  let read: ReturnType<typeof fromBinary<Desc>>
  try {
    read = fromBinary(schema, input)
  } catch {
    return 'refused'
  }
  return refusedAs([ControllerError], () => {
    take(read)
    return 'accepted'
  })
}
