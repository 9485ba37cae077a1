import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { planFor } from '../../agent/testing/plans.ts'
import { PLAN_PAYLOAD_TYPE, planOpener, planSealer, preAuthenticationEncoding } from '../../proto/envelope.ts'
import { median } from './figures.ts'
import { measureEnrolments } from './trust-enrolments.ts'
import { measureReports } from './trust-reports.ts'

/*
 * What trust costs: plans signed and verified beside the bare signatures of node:crypto, a stream of reports over
 * mutual TLS beside one in the clear, and enrolments. Both sides of a ratio take turns in the same run.
 */

const ROUNDS = 15
const WARM_ROUNDS = 5
const PER_ROUND = 500
const SHARE_MIN = 0.7

/** Per second, by processor time of this process: another one that is busy slows nothing down here. */
function rateOf(work: () => void): number {
  const before = process.cpuUsage()
  for (let turn = 0; turn < PER_ROUND; turn += 1) work()
  const { user, system } = process.cpuUsage(before)
  return (PER_ROUND * 1_000_000) / (user + system)
}

function inTurns(ours: () => void, bare: () => void): { readonly ours: number; readonly bare: number } {
  const rates: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
  for (let round = -WARM_ROUNDS; round < ROUNDS; round += 1) {
    const [mine, theirs] = [rateOf(ours), rateOf(bare)]
    if (round < 0) continue
    rates.ours.push(mine)
    rates.bare.push(theirs)
  }
  return { ours: median(rates.ours), bare: median(rates.bare) }
}

const director = generateKeyPairSync('ed25519')
const plan = planFor('a'.repeat(26), '42.20261101.0')
const seal = planSealer(director.privateKey)
const open = planOpener([director.publicKey])
const envelope = seal(plan)
const encoded = preAuthenticationEncoding(PLAN_PAYLOAD_TYPE, Buffer.from(JSON.stringify(plan)))
const signature = sign(null, encoded, director.privateKey)

function describe(name: string, { ours, bare }: { readonly ours: number; readonly bare: number }): boolean {
  const share = ours / bare
  const amounts = `${ours.toFixed(0)}/s : ${bare.toFixed(0)}/s`
  const mark = share >= SHARE_MIN ? '✔' : '✖'
  console.log(
    `${mark} ${name.padEnd(28)} ${amounts.padEnd(24)} ${share.toFixed(2)} of bare node:crypto (at least ${SHARE_MIN})`,
  )
  return share >= SHARE_MIN
}

const signs = describe(
  'plans signed',
  inTurns(
    () => seal(plan),
    () => sign(null, encoded, director.privateKey),
  ),
)
const verifies = describe(
  'plans verified',
  inTurns(
    () => {
      if (open(envelope).kind !== 'opened') throw new Error('a good plan is refused')
    },
    () => {
      if (!verify(null, encoded, director.publicKey, signature))
        throw new Error('a good signature is refused')
    },
  ),
)
const reports = await measureReports()
const perReport = `${reports.tlsUs.toFixed(0)} µs : ${reports.plainUs.toFixed(0)} µs`
console.log(
  `  ${'one report, acknowledged'.padEnd(28)} ${perReport.padEnd(24)} ${(reports.tlsUs / reports.plainUs).toFixed(2)} × in the clear`,
)
const enrolments = await measureEnrolments()
console.log(
  `  ${'hosts enrolled, end to end'.padEnd(28)} ${enrolments.count} in ${enrolments.seconds.toFixed(1)} s: ${(enrolments.count / enrolments.seconds).toFixed(0)}/s`,
)
process.exitCode = signs && verifies ? 0 : 1
