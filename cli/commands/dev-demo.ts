import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runDemo } from '../dev/demo.ts'
import { openDev } from '../dev/dev.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

export async function runDevDemo(
  { terminal }: Session,
  flags: { readonly hosts: number; readonly keep: boolean },
): Promise<ExitStatus> {
  const stateDir = await mkdtemp(join(tmpdir(), 'bootfleet-'))
  terminal.note(`» state in ${stateDir}\n`)
  try {
    const dev = await openDev({ stateDir, hosts: flags.hosts, terminal })
    try {
      return await runDemo(dev, terminal)
    } finally {
      await dev.close()
    }
  } finally {
    if (!flags.keep) await rm(stateDir, { recursive: true, force: true })
    terminal.note(flags.keep ? `» state kept in ${stateDir}\n` : '» everything is stopped and removed\n')
  }
}
