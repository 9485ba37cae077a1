import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { pino } from 'pino'
import { openContainerSnapHost } from '../../agent/hosts/container-snap.ts'
import { runBoot } from '../../agent/loop.ts'
import { openMailbox } from '../../agent/mailbox.ts'
import { planFor } from '../../agent/testing/plans.ts'
import { openRegistry } from '../../agent/container-snap/testing/registry.ts'
import { openSysroot } from '../../agent/container-snap/testing/sysroot.ts'
import { ownLayer, sharedLayer } from '../support/powercut/trees.ts'
import { sealPlan } from '../../proto/envelope.ts'
import type { Figure } from './figures.ts'
import { median, timedMs } from './figures.ts'

const hostId = 'benchhost'

/** From the plan that grants activation to the call that would reboot, against the same command run by hand. */
export async function activationFigure(program: string, rounds: number): Promise<Figure> {
  const registry = await openRegistry()
  const disk = await openSysroot(1024)
  const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
  const snap = async (...args: string[]): Promise<string> =>
    (await execa(program, ['--sysroot', disk.directory, ...args], { env })).stdout.trim()
  try {
    const repository = `${registry.address}/os/edge`
    const digests = new Map<string, string>()
    for (const version of ['1', '2']) {
      digests.set(version, await registry.push(`os/edge:${version}`, [sharedLayer(), ownLayer(version)]))
    }
    await mkdir(join(disk.directory, 'var/esp/loader/entries'), { recursive: true })
    await snap('init')
    const machine = {
      version: 1,
      loader: { kind: 'systemd-boot', esp: '/var/esp', tries: 3 },
      kernelArguments: [],
    }
    await writeFile(join(disk.store, 'machine.json'), JSON.stringify(machine))
    const pull = async (version: string): Promise<string> => {
      const image = `docker://${repository}@${digests.get(version) ?? ''}`
      return (JSON.parse(await snap('--json', 'pull', image)) as { imageId: string }).imageId
    }
    const first = await snap('create-snapshot', await pull('1'))
    await snap('activate', first)
    await disk.reboot()
    await snap('bless')
    const second = await pull('2')
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 1; round <= rounds; round += 1) {
      const digest = digests.get('2') ?? ''
      ours.push(
        await grantToReboot({ disk: disk.directory, program, env, round, image: { repository, digest } }),
      )
      await snap('activate', first)
      const byHand = await snap('deploy', second)
      theirs.push(await timedMs(() => snap('activate', byHand)))
      await snap('activate', first)
    }
    return {
      name: 'activate grant to the reboot call',
      ours: median(ours),
      theirs: median(theirs),
      unit: 'ms',
      limit: 1.2,
      against: 'container-snap activate, by hand',
    }
  } finally {
    await disk.close()
    await registry.close()
  }
}

type Round = {
  disk: string
  program: string
  env: Readonly<Record<string, string>>
  round: number
  image: { repository: string; digest: string }
}

async function grantToReboot({ disk, program, env, round, image }: Round): Promise<number> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const instants = { grantedMs: 0, rebootMs: 0 }
  const machine = {
    root: disk,
    sysroot: disk,
    prepare: async () => {},
    bootId: async () => 'one boot',
    reboot: async () => {
      instants.rebootMs = performance.now()
    },
  }
  const driver = openContainerSnapHost({ command: program, machine, env })
  const mailbox = openMailbox()
  const stateDir = join(disk, 'var/lib/bootfleet/agent')
  await rm(stateDir, { recursive: true, force: true })
  await mkdir(stateDir, { recursive: true })
  const seal = (counter: number, granted: boolean): Uint8Array => {
    const version = '2'
    const { activate, ...plan } = planFor(hostId, version, {
      counter: round * 10 + counter,
      rollout: `bench-${round}`,
      image: { ...image, manifestDigest: image.digest, version },
    })
    return sealPlan({ ...plan, activate: granted ? activate : null }, privateKey)
  }
  mailbox.putPlan(seal(1, false))
  const ended = await runBoot({
    driver,
    identity: { hostId, certificateNotBeforeMs: 0 },
    believed: () => ({
      directorKeys: [createPublicKey(privateKey)],
      release: null,
      approver: null,
      expiresAtMs: null,
      issuedAtMs: 0,
    }),
    statePath: join(stateDir, 'state.json'),
    mailbox,
    checkIntervalMs: 1_000,
    onState: (state) => {
      if (state.at.phase !== 'Staged' || instants.grantedMs !== 0) return
      instants.grantedMs = performance.now()
      mailbox.putPlan(seal(2, true))
    },
    onProgress: () => {},
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  })
  if (ended !== 'Rebooted') throw new Error('the agent never called for a reboot')
  return instants.rebootMs - instants.grantedMs
}
