import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Answer, AskKind, Effect, Message, Model, Size } from '../../cli/dashboard/model.ts'
import { beginModel } from '../../cli/dashboard/model.ts'
import { decodeKeys, decodeRest } from '../../cli/dashboard/keys.ts'
import { step } from '../../cli/dashboard/step.ts'
import { drawView } from '../../cli/dashboard/view.ts'
import { StatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { limitsOfEdge } from './edge-limits.ts'

/** 21 September 2026, 14:15:20 UTC. */
export const nowMs = 1_790_000_120_000
const startedAtMs = BigInt(nowMs - 120_000)
export const wanted = `sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`
export const before = `sha256:${'51b7'.padEnd(64, '0')}`

type Fleet = NonNullable<MessageInitShape<typeof StatusSchema>['fleets']>[number]

const edge = {
  name: 'edge',
  state: 'Progressing',
  commit: '3f2a91c0ffee',
  digest: wanted,
  version: '42.1.0',
  stableDigest: before,
  stableVersion: '42.0.9',
  hostsTotal: 120,
  hostsUpdated: 13,
  hostsHealthy: 119,
  message: 'wave 2/3 "tenth": soaking, 11h58m left',
  limits: limitsOfEdge(nowMs),
  rollout: {
    id: 'edge-7',
    fleet: 'edge',
    commit: '3f2a91c0ffee',
    state: 'Progressing',
    digest: wanted,
    version: '42.1.0',
    fromDigest: before,
    fromVersion: '42.0.9',
    startedAtMs,
    endsEarliestAtMs: BigInt(nowMs + 43_080_000),
    endUnknownBecause: '107 hosts are still to be updated',
    message: 'wave 2/3 "tenth": soaking, 11h58m left',
    waves: [
      { name: 'canary', state: 'Succeeded', hostsTotal: 1, hostsSucceeded: 1, message: 'soaked 2h0m' },
      {
        name: 'tenth',
        state: 'Soaking',
        hostsTotal: 12,
        hostsSucceeded: 12,
        message: 'soaking, 11h58m left',
        soakMs: 43_200_000n,
        soakedMs: 120_000n,
      },
      { name: 'rest', state: 'Pending', hostsTotal: 107, message: 'waits for wave "tenth"' },
    ],
    attention: [
      { hostId: 'id-2', hostName: 'till-2', phase: 'Rebooting', wave: 'tenth', message: 'rebooting' },
    ],
    log: [{ atMs: startedAtMs, actor: 'kim', verb: 'approve', reason: 'looks good' }],
  },
} satisfies Fleet

const lab = {
  name: 'lab',
  state: 'Synced',
  digest: wanted,
  version: '42.1.0',
  stableDigest: wanted,
  hostsTotal: 3,
  hostsUpdated: 3,
  hostsHealthy: 3,
  message: 'every host runs 42.1.0',
} satisfies Fleet

/** Something broke, and what broke talks: its words try to move the cursor, and are wide. */
const broken = {
  ...edge,
  state: 'Paused',
  hostsHealthy: 117,
  message:
    'paused (Failure): 2 of 12 hosts of wave "tenth" failed, at most 1 may; retry, promote, or rollback',
  rollout: {
    ...edge.rollout,
    state: 'Paused',
    pausedFor: 'Failure',
    endsEarliestAtMs: 0n,
    endUnknownBecause: 'it is paused',
    message: '2 of 12 hosts of wave "tenth" failed, at most 1 may',
    waves: edge.rollout.waves.map((wave) =>
      wave.name === 'tenth'
        ? { ...wave, state: 'Failed', hostsSucceeded: 10, hostsFailed: 2, message: '2 of 12 failed' }
        : wave,
    ),
    attention: [
      {
        hostId: 'id-17',
        hostName: 'till-17',
        phase: 'RolledBack',
        wave: 'tenth',
        message: 'health check unit:sshd.service failed twice; fell back to 42.0.9',
        evidence: 'entry used its 3 tries',
      },
      {
        hostId: 'id-18',
        hostName: '収銀-18',
        phase: 'Failed',
        wave: 'tenth',
        message: '\u001b[2J\u001b[1;1Hall is well\r\n\u202egniht yna',
      },
    ],
  },
} satisfies Fleet

export function normalStatus(): Status {
  return create(StatusSchema, {
    sources: [{ name: 'main', url: 'https://git.example/fleet', branch: 'main', acceptedCommit: '3f2a91c0' }],
    observedAtMs: BigInt(nowMs),
    fleets: [edge, lab],
  })
}

export function failingStatus(): Status {
  return create(StatusSchema, {
    sources: [
      {
        name: 'main',
        url: 'https://git.example/fleet',
        acceptedCommit: '3f2a91c0',
        rejection: { commit: 'c0ffee00', issues: ['edge.yaml:5:3: unknown field "selektor"'] },
      },
    ],
    observedAtMs: BigInt(nowMs),
    fleets: [broken, lab, { ...lab, name: 'kiosk', state: 'AwaitingApproval', message: 'wave "all" asks' }],
  })
}

export function approvalStatus(): Status {
  const waves = edge.rollout.waves.map((wave) =>
    wave.name === 'tenth'
      ? { ...wave, state: 'AwaitingApproval', approval: { askedAtMs: startedAtMs, approvers: 1 } }
      : wave,
  )
  const fleet = { ...edge, state: 'AwaitingApproval', rollout: { ...edge.rollout, waves } }
  return create(StatusSchema, { observedAtMs: BigInt(nowMs), fleets: [fleet, lab] })
}

/** A dashboard after these messages. */
export function dashboardAt(size: Size, ...messages: readonly Message[]): Model {
  const begun = beginModel({ address: 'controller.example:7443', size, nowMs, fleet: null })
  return messages.reduce((model, message) => step(model, message).model, begun)
}

/** What is to be done outside after these messages. */
export function effectsOf(model: Model, ...messages: readonly Message[]): readonly Effect[] {
  const effects: Effect[] = []
  messages.reduce((before, message) => {
    const stepped = step(before, message)
    effects.push(...stepped.effects)
    return stepped.model
  }, model)
  return effects
}

export function seen(status: Status, atMs = nowMs): Message {
  return { kind: 'watched', seen: { kind: 'status', status }, atMs }
}

export function lost(atMs: number): Message {
  const why =
    'the controller at controller.example:7443 does not answer (No connection established); is it running, and is this its context?'
  return { kind: 'watched', seen: { kind: 'lost', why }, atMs }
}

export function answered(answer: Answer, of = ''): Message {
  return { kind: 'answered', ask: { kind: answer.kind, of }, answer, atMs: nowMs }
}

export function failed(kind: AskKind, of = ''): Message {
  return { kind: 'unanswered', ask: { kind, of }, why: 'you may not view it', atMs: nowMs }
}

/** What a terminal sends for it, byte by byte what a person types. */
export function keys(sent: string): readonly Message[] {
  const { keys: pressed, rest } = decodeKeys(sent)
  return [...pressed, ...decodeRest(rest)].map((key) => ({ kind: 'key', key }))
}

/** What is drawn, without colours. */
export function textOf(model: Model): string {
  const lines = drawView(model).map((spans) =>
    spans
      .map(({ text }) => text)
      .join('')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}
