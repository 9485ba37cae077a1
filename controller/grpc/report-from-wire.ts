import * as z from 'zod'
import { Phase, Verdict } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Report } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { KERNEL_ARGUMENTS_MAX, KERNEL_ARGUMENT_MAX_LENGTH } from '../../proto/kernel-arguments.ts'
import { Digest } from '../../proto/plan.ts'
import type { AgentPhase } from '../rollout/states.ts'
import type { HostReport, ReportedSystem, SourcedArgument } from '../rollout/report.ts'
import { ControllerError } from '../errors.ts'
import { EtcFromWire } from './etc-from-wire.ts'
import { fitted, withinBytes } from './report-size.ts'
import { cleaned, Instant, shown } from './wire-parts.ts'

/** Keeps what comes first, whatever script it is written in. */
const shownList = (entriesMax: number): z.ZodType<string[], string[]> =>
  z.array(shown(256)).transform((lines) => withinBytes(lines.slice(0, entriesMax), LIST_SIZE_MAX_BYTES))
const LIST_SIZE_MAX_BYTES = 12 * 1024
/** In one order whatever the order on the wire: a report that differs is stored. */
const ShownLabels = z.record(z.string(), z.string()).transform((labels) => {
  let sizeBytes = 0
  const bounded = Object.entries(labels)
    .toSorted(([a], [b]) => Number(a > b) - Number(a < b))
    .map(([key, value]) => [cleaned(key, 128), cleaned(value, 256)] as const)
    .slice(0, LABELS_MAX)
    .filter((label) => {
      sizeBytes += Buffer.byteLength(JSON.stringify(label))
      return sizeBytes <= LABELS_SIZE_MAX_BYTES
    })
  return Object.fromEntries(bounded)
})
const LABELS_MAX = 32
const LABELS_SIZE_MAX_BYTES = 4 * 1024
const DigestOrNone = z.union([z.literal('').transform(() => null), Digest])
const count = z.bigint().max(BigInt(Number.MAX_SAFE_INTEGER)).transform(Number)
const FAILED_CHECKS_MAX = 16
const KERNEL_LINE_MAX = 64
const LINE_SIZE_MAX_BYTES = 8 * 1024

const PHASES: Readonly<Record<Phase, AgentPhase | null>> = {
  [Phase.UNSPECIFIED]: null,
  [Phase.IDLE]: 'Idle',
  [Phase.DOWNLOADING]: 'Downloading',
  [Phase.READY]: 'Ready',
  [Phase.STAGING]: 'Staging',
  [Phase.STAGED]: 'Staged',
  [Phase.ACTIVATING]: 'Activating',
  [Phase.REBOOTING]: 'Rebooting',
  [Phase.VERIFYING]: 'Verifying',
  [Phase.HEALTHY]: 'Healthy',
  [Phase.FAILED]: 'Failed',
  [Phase.ROLLING_BACK]: 'RollingBack',
  [Phase.ROLLED_BACK]: 'RolledBack',
}

const VERDICTS: Readonly<Record<Verdict, HostReport['health']['verdict']>> = {
  [Verdict.UNSPECIFIED]: 'Unknown',
  [Verdict.UNKNOWN]: 'Unknown',
  [Verdict.PASSED]: 'Passed',
  [Verdict.FAILED]: 'Failed',
}

const PlanReference = z.object({
  rollout: z.string().max(128),
  generation: count,
  attempt: z.int(),
  term: count,
  counter: count,
})

const ReportFromWire = z.object({
  plan: PlanReference.optional().transform((plan) => plan ?? null),
  phase: z.enum(Phase).transform((phase, context) => {
    const name = PHASES[phase]
    if (name !== null) return name
    context.addIssue('it is not set')
    return z.NEVER
  }),
  bootedDigest: DigestOrNone,
  bootedManifestDigest: DigestOrNone,
  bootedVersion: shown(128),
  defaultDigest: DigestOrNone,
  targetDigest: DigestOrNone,
  bootId: z
    .string()
    .max(64)
    .regex(/^[\w.:-]*$/),
  health: z
    .object({
      verdict: z.enum(Verdict).transform((verdict) => VERDICTS[verdict]),
      failedChecks: z
        .array(z.object({ name: shown(64), detail: shown(256) }))
        .transform((checks) => checks.slice(0, FAILED_CHECKS_MAX)),
    })
    .optional()
    .transform((health) => health ?? { verdict: 'Unknown' as const, failedChecks: [] }),
  failure: z
    .object({ code: shown(64), message: shown(1024), evidence: shownList(32) })
    .optional()
    .transform((failure) => failure ?? null),
  facts: z
    .object({
      architecture: z.string().regex(/^[a-z0-9]{0,32}$/),
      driver: z.string(),
      keysKept: z.string(),
      bootGuard: z.string(),
      osId: shown(64),
      osVersion: shown(64),
      osName: shown(128),
      imageReference: shown(512),
      imageLabels: ShownLabels,
    })
    .optional(),
  deniedDigests: z.array(Digest).max(256),
  etcConflicts: shownList(64),
  kernelLine: z
    .object({
      // A person may have deployed any; what was cut is still not what git gives.
      ofHost: z
        .array(shown(KERNEL_ARGUMENT_MAX_LENGTH))
        .transform((given) => withinBytes(given.slice(0, KERNEL_ARGUMENTS_MAX + 1), LINE_SIZE_MAX_BYTES)),
      arguments: z
        .array(z.object({ argument: shown(256), source: shown(16) }))
        .transform((line) => withinBytes(line.slice(0, KERNEL_LINE_MAX), LINE_SIZE_MAX_BYTES)),
    })
    .optional(),
  etcChanges: EtcFromWire.optional(),
  refusedPlan: z.object({ plan: PlanReference, code: shown(64), message: shown(1024) }).optional(),
  phaseEnteredAtMs: Instant,
  plansStaleSinceMs: Instant,
  localMove: z
    .object({
      id: z.string().regex(/^[\w-]{1,64}$/),
      user: shown(64),
      command: shown(32),
      atMs: Instant,
      digest: DigestOrNone,
    })
    .optional(),
})

type KeysKept = NonNullable<HostReport['keysKept']>

function isKeysKept(word: string | undefined): word is KeysKept {
  return word === 'sealed' || word === 'plain'
}

const REPORT_ONLY = 'report-only'

function systemOf({ osId, osVersion, osName, imageReference, imageLabels }: ReportedSystem): ReportedSystem {
  return { osId, osVersion, osName, imageReference, imageLabels }
}

type ReadLine = { readonly ofHost: readonly string[]; readonly arguments: readonly SourcedArgument[] }

/** Agents from before do not say. */
function lineOf(line: ReadLine | undefined): Pick<HostReport, 'kernelArguments' | 'kernelLine'> {
  if (line === undefined) return {}
  const kernelArguments = line.ofHost
  return line.arguments.length === 0 ? { kernelArguments } : { kernelArguments, kernelLine: line.arguments }
}

type Facts = z.output<typeof ReportFromWire>['facts']

function toldIn(facts: Facts): Pick<HostReport, 'architecture' | 'keysKept' | 'reportOnly' | 'unguarded'> {
  if (facts === undefined) return { architecture: '' }
  const { architecture, bootGuard, driver, keysKept } = facts
  return {
    architecture,
    ...(isKeysKept(keysKept) && { keysKept }),
    ...(bootGuard === 'uncounted' && { unguarded: true as const }),
    ...(driver === REPORT_ONLY && { reportOnly: systemOf(facts) }),
  }
}

/** @throws ControllerError RequestInvalid naming the first field that cannot be taken. */
export function reportFromWire(report: Report): HostReport {
  const parsed = ReportFromWire.safeParse(report)
  if (parsed.success) {
    const {
      etcChanges,
      facts,
      kernelLine,
      localMove,
      plansStaleSinceMs,
      refusedPlan: refused,
      ...rest
    } = parsed.data
    return fitted({
      ...rest,
      ...(refused !== undefined && { refused }),
      ...(localMove !== undefined && { localMove }),
      ...lineOf(kernelLine),
      ...(etcChanges !== undefined && { etcChanges }),
      ...(plansStaleSinceMs > 0 && { plansStaleSinceMs }),
      ...toldIn(facts),
    })
  }
  const [issue] = parsed.error.issues
  throw new ControllerError(
    'RequestInvalid',
    `reading a report: ${issue?.path.join('.') ?? 'it'} cannot be taken (${issue?.message ?? 'unknown'}); the agent is newer than the controller or broken`,
  )
}
