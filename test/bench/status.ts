import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { execa } from 'execa'
import type { Snapshot } from '../../controller/grpc/status-view.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../support/grpc-world.ts'
import { connection, openFleet, send, wanted } from './engine-fleet.ts'
import { inTurns, p95, render } from './figures.ts'

/*
 * What a person waits for who asks how 10,000 hosts are doing, beside a program that makes the same call, over the
 * same TLS, and looks at nothing of the answer. The controller answers both, in the middle of a rollout.
 */

const HOSTS = 10_000
const AWAY = 100
const ROUNDS = 41

function openSnapshot(): Snapshot {
  const fleet = openFleet(HOSTS)
  send(fleet, wanted('1.0.0'))
  for (let host = 0; host < AWAY; host += 1) send(fleet, connection(`host-${host * 7}`, false))
  return {
    state: fleet.state,
    sources: [],
    presenceOf: () => ({ connected: true, lastSeenAtMs: fleet.now.wallMs, doneBytes: 0, totalBytes: 0 }),
    signerOf: () => '',
    imageEntryOf: () => null,
    term: 1,
    nowMs: fleet.now.wallMs,
  }
}

const world = await startGrpcWorld()
world.snapshot = openSnapshot()
const dir = await mkdtemp(join(tmpdir(), 'bootfleet-bench-status-'))
try {
  const { keyPem, certificatePem } = world.operator
  await writeFile(join(dir, 'key.pem'), keyPem, { mode: 0o600 })
  await writeFile(join(dir, 'certificate.pem'), certificatePem)
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  const context = join(dir, 'context.json')
  const files = { ca: 'ca.pem', certificate: 'certificate.pem', key: 'key.pem' }
  await writeFile(context, JSON.stringify({ address: world.address, ...files }))
  const bare = join(dir, 'bare-call.mjs')
  const source = fileURLToPath(new URL('bare-call.ts', import.meta.url))
  const banner = "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)"
  const asProgram = { bundle: true, platform: 'node', format: 'esm', banner: { js: banner } } as const
  await build({ entryPoints: [source], outfile: bare, ...asProgram, logLevel: 'error' })

  const program = fileURLToPath(new URL('../../dist/bootfleet', import.meta.url))
  const env = { BOOTFLEET_CONTEXT: context }
  const ours = (...words: string[]) => execa(process.execPath, [program, ...words], { env })
  const theirs = (method: string) =>
    execa(process.execPath, [bare, world.address, `/${OperatorService.typeName}/${method}`, dir])
  const shown = await ours('status')
  if (!shown.stdout.includes(String(HOSTS))) throw new Error(`bootfleet status says:\n${shown.stdout}`)
  const { stdout: bytes } = await theirs('GetStatus')

  const times = await inTurns(ROUNDS, { ours: () => ours('status'), theirs: () => theirs('GetStatus') }, p95)
  const { text, ok } = render([
    {
      name: `bootfleet status of ${HOSTS} hosts, p95`,
      ...times,
      unit: 'ms',
      limit: 3,
      against: `a bare call of the same ${bytes} bytes`,
    },
  ])
  process.stdout.write(text)
  if (!ok) process.exitCode = 1
} finally {
  world.reset()
  await world.close()
  await rm(dir, { recursive: true, force: true })
}
