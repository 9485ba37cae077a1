import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { SmallFleet } from './small-fleet.ts'
import { openShell, stepsOf } from './tour.ts'

const root = join(import.meta.dirname, '../..')
const PROGRAMS = join(root, 'dist')
const waiting = { timeout: 120_000, interval: 250 }

export type Walk = {
  /** A heading below "Incidents" in docs/security.md. */
  readonly incident: string
  /** What is named otherwise in this deployment. */
  readonly names?: Readonly<Record<string, string>>
  /** What a person waits for after the command that begins so; each must be typed. */
  readonly after?: Readonly<Record<string, (printed: string) => Promise<void>>>
}

/** Types what docs/security.md has a person type, on this deployment; each command must succeed. */
export async function walkThrough(
  world: SmallFleet,
  { incident, names = {}, after = {} }: Walk,
): Promise<void> {
  const shell = openShell({ cwd: world.dir, env: await operatorEnvironment(world) })
  const waits = new Map(Object.entries(after))
  try {
    for (const { command, line } of stepsOf(sectionOf(incident))) {
      const typed = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), command)
      const ofMachine = await onMachine(world, typed)
      const { status, lines } = ofMachine ? { status: 0, lines: [] } : await shell.type(typed)
      const printed = lines.join('\n')
      expect({ line, typed, status, printed }).toEqual({ line, typed, status: 0, printed })
      const awaited = [...waits.keys()].find((beginning) => command.startsWith(beginning))
      await waits.get(awaited ?? '')?.(printed)
      waits.delete(awaited ?? '')
    }
  } finally {
    await shell.close()
  }
  expect([...waits.keys()]).toEqual([])
}

function sectionOf(heading: string): string {
  const text = readFileSync(join(root, 'docs/security.md'), 'utf8')
  const [, section] = text.split(`\n### ${heading}\n`)
  if (section === undefined) throw new Error(`docs/security.md has no heading "${heading}"`)
  return section.split(/\n##+ /)[0] ?? ''
}

/** As whom {@link walkThrough} types. */
export async function operatorEnvironment({ dir, controller }: SmallFleet): Promise<NodeJS.ProcessEnv> {
  const [ca, certificate, key] = ['ca.pem', 'operator.pem', 'operator.key'].map((name) =>
    join(controller.pkiDir, '../operator', name),
  )
  const context = join(dir, 'context.json')
  await writeFile(context, JSON.stringify({ address: controller.address, ca, certificate, key }))
  return {
    ...process.env,
    BOOTFLEET_CONTEXT: context,
    PATH: `${PROGRAMS}:${process.env['PATH'] ?? ''}`,
  }
}

/** What is done on a machine where these programs are no services of systemd. */
async function onMachine(world: SmallFleet, command: string): Promise<boolean> {
  switch (command) {
    case 'nats-server --signal reload': {
      const before = await loadedAt(world)
      world.nats.reload()
      await expect.poll(() => loadedAt(world), waiting).not.toBe(before)
      return true
    }
    case 'systemctl restart bootfleet-controller': {
      const begun = async (): Promise<number> => (await world.controller.log()).split('"engine open"').length
      const before = await begun()
      await world.controller.stop()
      await world.controller.start()
      await expect.poll(begun, waiting).toBeGreaterThan(before)
      return true
    }
    default:
      return false
  }
}

async function loadedAt({ nats }: SmallFleet): Promise<string> {
  const answer = (await (await fetch(`${nats.monitorUrl}/varz`)).json()) as {
    readonly config_load_time: string
  }
  return answer.config_load_time
}
