import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { pino } from 'pino'
import { openContainerSnapHost } from '../../../agent/hosts/container-snap.ts'
import { sysrootMachine } from '../../../agent/hosts/sysroot-machine.ts'
import { runBoot } from '../../../agent/loop.ts'
import { openMailbox } from '../../../agent/mailbox.ts'
import { planFor } from '../../../agent/testing/plans.ts'
import type { State } from '../../../agent/update/types.ts'
import type { Plan } from '../../../proto/plan.ts'
import { sealPlan } from '../../../proto/envelope.ts'
import type { Attached } from './medium.ts'

export type Version = { name: string; digest: string }

export type HostOptions = {
  /** Signs plans; the host believes it. */
  directorKey: KeyObject
  /** The container-snap program to run. */
  command: string
  env: Readonly<Record<string, string>>
  /** Repository of all versions. */
  repository: string
  /** What a boot makes anew; of this host alone. */
  runDir: string
}

const hostId = 'powercuthost'

/** The agent's own loop on a disk that is mounted; only NATS and gRPC are left out. */
export type Host = {
  /** Goes on until the host is healthy on `version`, whatever it was found in. */
  carryTo: (version: Version, counter: number) => Promise<State>
}

export function openHost(disk: Attached, options: HostOptions): Host {
  const { directorKey, command, env, repository, runDir } = options
  const machine = sysrootMachine({ sysroot: disk.root, device: disk.device, runDir })
  const driver = openContainerSnapHost({ command, machine, env })
  const log = pino({ level: process.env['POWERCUT_LOG'] ?? 'silent' })
  const directorKeys = [createPublicKey(directorKey)]
  const identity = { hostId, certificateNotBeforeMs: 0 }
  const believed = () => ({ directorKeys, release: null, approver: null, expiresAtMs: null, issuedAtMs: 0 })
  return {
    carryTo: async (version, counter) => {
      const { digest, name } = version
      const changes: Partial<Plan> = {
        counter,
        generation: counter,
        rollout: `edge-${counter}`,
        image: { repository, digest, manifestDigest: digest, version: name },
      }
      const plan = planFor(hostId, name, changes)
      const health = { ...plan.health, checks: [], reachController: false, deadlineMs: 20_000 }
      const bytes = sealPlan({ ...plan, health, limits: { ...plan.limits, maxReboots: 16 } }, directorKey)
      const ended = new AbortController()
      const timer = setTimeout(() => ended.abort(), 60_000)
      const seen: { state: State | null } = { state: null }
      await driver.prepare(ended.signal)
      const statePath = join(disk.root, 'var/lib/bootfleet/agent/state.json')
      const onState = (state: State): void => {
        seen.state = state
        const healthy = state.at.phase === 'Healthy' && state.at.plan.rollout === plan.rollout
        const over = 'plan' in state.at && state.at.plan.rollout === plan.rollout
        if (healthy || (over && (state.at.phase === 'Failed' || state.at.phase === 'RolledBack')))
          ended.abort()
      }
      while (!ended.signal.aborted) {
        const mailbox = openMailbox()
        mailbox.putPlan(bytes)
        const signal = ended.signal
        await runBoot({
          driver,
          identity,
          believed,
          statePath,
          mailbox,
          checkIntervalMs: 20,
          onState,
          onProgress: () => {},
          log,
          signal,
        })
        if (!ended.signal.aborted) await driver.prepare(signal)
      }
      clearTimeout(timer)
      if (seen.state === null) throw new Error(`${disk.root}: the agent never came up`)
      return seen.state
    },
  }
}
