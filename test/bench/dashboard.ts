import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { drawLines } from '../../cli/dashboard/draw.ts'
import { beginModel } from '../../cli/dashboard/model.ts'
import type { Message, Model } from '../../cli/dashboard/model.ts'
import { step } from '../../cli/dashboard/step.ts'
import { drawView } from '../../cli/dashboard/view.ts'
import { styleFor } from '../../cli/render/style.ts'
import { HostStatusSchema, WatchStatusResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { median } from './figures.ts'

/*
 * What the dashboard adds to decoding the messages that it is told: each becomes the picture, and a picture is drawn
 * for every thousand, which is every 100 ms at ten changes a millisecond. Both sides take turns in the same run.
 */

const HOSTS = 10_000
const ROUNDS = 9
const WARM_ROUNDS = 3
const MESSAGES_A_PICTURE = 1_000
const DIFFERENT = 50
const SHARE_MIN = 0.6

const size = { width: 120, height: 40 }
const style = styleFor(true)
const digest = (seed: number): string => `sha256:${seed.toString(16).padStart(64, '0')}`

/** Messages of so many fleets that change from one to the next. */
function encodedMessages(fleets: number): readonly Uint8Array[] {
  return Array.from({ length: DIFFERENT }, (_, turn) => {
    const status = {
      observedAtMs: BigInt(1_790_000_000_000 + turn),
      fleets: Array.from({ length: fleets }, (__, fleet) => fleetAt(fleet, turn, HOSTS / fleets)),
    }
    return toBinary(WatchStatusResponseSchema, create(WatchStatusResponseSchema, { status }))
  })
}

function fleetAt(fleet: number, turn: number, hosts: number) {
  const done = Math.floor((hosts * turn) / DIFFERENT)
  const name = `fleet-${fleet}`
  return {
    name,
    state: 'Progressing',
    digest: digest(2),
    version: '42.1.0',
    stableDigest: digest(1),
    hostsTotal: hosts,
    hostsUpdated: done,
    hostsHealthy: hosts,
    message: `wave 3/5 "third": ${done}/${hosts} done`,
    rollout: {
      id: `${name}-7`,
      fleet: name,
      state: 'Progressing',
      digest: digest(2),
      fromDigest: digest(1),
      message: `${done}/${hosts} done`,
      waves: ['canary', 'tenth', 'third', 'half', 'rest'].map((wave) => ({
        name: wave,
        state: 'Running',
        hostsTotal: hosts / 5,
        hostsSucceeded: Math.floor(done / 5),
        message: `${done} done`,
      })),
      attention: Array.from({ length: 20 }, (_, host) => ({
        hostId: `${name}-${host}`,
        hostName: `till-${host}`,
        phase: 'Downloading',
        wave: 'third',
        message: `pulling, ${turn} of ${DIFFERENT}`,
      })),
    },
  }
}

const hosts = Array.from({ length: HOSTS }, (_, host) =>
  create(HostStatusSchema, {
    hostId: `id-${host}`,
    name: `till-${host}`,
    fleet: 'fleet-0',
    phase: host % 100 === 0 ? 'Failed' : 'Succeeded',
    bootedDigest: digest(2),
    connected: true,
    message: 'runs what it should',
  }),
)

/** The list of every host is open, and marked somewhere in the middle. */
function withHostsOpen(model: Model): Model {
  const answer = { kind: 'hosts', value: hosts } as const
  const ask = { kind: 'hosts', of: 'fleet-0' } as const
  const messages: readonly Message[] = [
    { kind: 'key', key: { kind: 'enter' } },
    { kind: 'key', key: { kind: 'enter' } },
    { kind: 'answered', ask, answer, atMs: model.nowMs },
    { kind: 'key', key: { kind: 'end' } },
    { kind: 'key', key: { kind: 'pageUp' } },
  ]
  return messages.reduce((before, message) => step(before, message).model, model)
}

/** Messages per second, by processor time of this process. */
function rateOf(messages: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (messages * 1_000_000) / (user + system)
}

function compare(name: string, fleets: number, open: (model: Model) => Model): boolean {
  const encoded = encodedMessages(fleets)
  const at = (turn: number): Uint8Array => encoded[turn % DIFFERENT] ?? new Uint8Array()
  const decode = (turn: number) => fromBinary(WatchStatusResponseSchema, at(turn)).status
  const told = (turn: number): Message => {
    const status = decode(turn)
    if (status === undefined) throw new Error('a message without a status')
    return { kind: 'watched', seen: { kind: 'status', status }, atMs: 1_790_000_000_000 + turn / 10 }
  }
  const begin = { address: 'controller', size, nowMs: 1_790_000_000_000, fleet: null }
  let model = open(step(beginModel(begin), told(0)).model)
  let shown: readonly string[] | null = null
  let bytes = 0
  const ours = (): void => {
    for (let turn = 0; turn < MESSAGES_A_PICTURE; turn += 1) model = step(model, told(turn)).model
    const drawing = drawLines(drawView(model), shown, style)
    shown = drawing.shown
    bytes += drawing.bytes.length
  }
  const bare = (): void => {
    for (let turn = 0; turn < MESSAGES_A_PICTURE; turn += 1) decode(turn)
  }
  const rates: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
  for (let round = -WARM_ROUNDS; round < ROUNDS; round += 1) {
    const [mine, theirs] = [rateOf(MESSAGES_A_PICTURE, ours), rateOf(MESSAGES_A_PICTURE, bare)]
    if (round < 0) continue
    rates.ours.push(mine)
    rates.bare.push(theirs)
  }
  const [mine, theirs] = [median(rates.ours), median(rates.bare)]
  const share = mine / theirs
  const amounts = `${mine.toFixed(0)}/s : ${theirs.toFixed(0)}/s`
  console.log(
    `${share >= SHARE_MIN && bytes > 0 ? '✔' : '✖'} ${name.padEnd(36)} ${amounts.padEnd(22)} ${share.toFixed(2)} of bare decoding (at least ${SHARE_MIN}), ${at(0).length} bytes each`,
  )
  return share >= SHARE_MIN && bytes > 0
}

const asItBegins = (model: Model): Model => model
const kept = [
  compare('one fleet of 10,000 hosts', 1, asItBegins),
  compare('the same, its list of hosts open', 1, withHostsOpen),
  compare('20 fleets of 500 hosts', 20, asItBegins),
]
process.exitCode = kept.every(Boolean) ? 0 : 1
