import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import type { DevLayout } from './layout.ts'
import { endProcess, start } from './process.ts'
import type { Child } from './process.ts'
import { readState, writeWhole } from './state-file.ts'

export type ServiceSpec = {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export type Service = { readonly name: string; readonly stop: () => Promise<void> }

const Mark = z.strictObject({ pid: z.int().positive(), startTicks: z.string() })
const graceMs = 15_000
const firstPauseMs = 200
const longestPauseMs = 5_000
/** Longer than this and the next death is a new story. */
const settledMs = 10_000

/** Keeps one program running until stopped: whatever ends it, it is started again, and that is said. */
export async function openService(
  spec: ServiceSpec,
  layout: DevLayout,
  note: (text: string) => void,
): Promise<Service> {
  const pidPath = join(layout.pids, `${spec.name}.json`)
  const logPath = join(layout.logs, `${spec.name}.log`)
  await mkdir(layout.logs, { recursive: true })
  const launch = async (): Promise<Child> => {
    const child = await start(spec.command, spec.args, { env: spec.env, logPath })
    await writeWhole(pidPath, `${JSON.stringify(child.mark)}\n`)
    return child
  }
  const stopping = new AbortController()
  let child = await launch()
  const keep = async (): Promise<void> => {
    let pauseMs = firstPauseMs
    while (!stopping.signal.aborted) {
      const startedMs = performance.now()
      const how = await child.ended
      if (stopping.signal.aborted) return
      if (performance.now() - startedMs > settledMs) pauseMs = firstPauseMs
      note(`! ${spec.name} ${how}; starting it again in ${pauseMs} ms (log: ${logPath})\n`)
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      child = await launch()
    }
  }
  const kept = keep()
  return {
    name: spec.name,
    stop: async () => {
      stopping.abort()
      await endProcess(child.mark, graceMs)
      await kept
      await endProcess(child.mark, graceMs)
      await rm(pidPath, { force: true })
    },
  }
}

/** Ends what an earlier dev on this state left behind, so that no store has two masters. */
export async function endLeftovers(
  layout: DevLayout,
  names: readonly string[],
  note: (text: string) => void,
): Promise<void> {
  for (const name of names) {
    const pidPath = join(layout.pids, `${name}.json`)
    const mark = await readState(pidPath, Mark)
    if (mark === null) continue
    note(`» ending ${name} (pid ${mark.pid}) if an earlier dev left it running\n`)
    await endProcess(mark, graceMs)
    await rm(pidPath, { force: true })
  }
}
