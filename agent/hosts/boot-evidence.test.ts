import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { journalEvidence } from './boot-evidence.ts'

const signal = new AbortController().signal
const fallen = { deploymentId: 'x-work2', bootId: '00000000-0000-0000-0000-00000000000a' }
const currentBootId = '00000000-0000-0000-0000-00000000000d'
const [before, first, second, now] = ['a', 'b', 'c', 'd'].map((digit) => digit.padStart(32, '0'))

describe('the evidence of failed boots', () => {
  let directory: string
  let path: string | undefined

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-journal-'))
    path = process.env['PATH']
    process.env['PATH'] = `${directory}:${path ?? ''}`
  })

  afterEach(async () => {
    process.env['PATH'] = path
    await rm(directory, { recursive: true, force: true })
  })

  /** journalctl as it speaks to us: boots as JSON, lines as they are. */
  async function journal(boots: readonly (string | undefined)[], lines: string): Promise<void> {
    const list = JSON.stringify(boots.map((boot_id, index) => ({ index, boot_id, first_entry: 1 })))
    const program = `#!/bin/sh\ncase "$*" in *--list-boots*) echo '${list}';; ${lines} esac\n`
    await writeFile(join(directory, 'journalctl'), program, { mode: 0o755 })
  }

  const collect = () => journalEvidence({ fallen, currentBootId }, signal)

  it('is the last warnings of each boot since the activation, the newest boot first', async () => {
    await journal(
      [before, first, second, now],
      `*${second}*warning*) echo oom; echo panic;; *${first}*warning*) echo disk;;`,
    )
    expect(await collect()).toEqual([
      `boot ${second}, its last lines:`,
      'oom',
      'panic',
      `boot ${first}, its last lines:`,
      'disk',
    ])
  })

  it('is the last lines of any kind where nothing warned', async () => {
    await journal([before, first, now], `*warning*) ;; *${first}*) echo 'Reached target';;`)
    expect(await collect()).toEqual([`boot ${first}, its last lines:`, 'Reached target'])
  })

  it('says so when no boot of it got as far as a journal', async () => {
    await journal([before, now], '')
    expect(await collect()).toEqual(['journal: nothing of a boot of it; it did not get as far as journald'])
  })

  it('has a bound, in lines and in their length', async () => {
    const long = 'x'.repeat(300)
    await journal(
      [before, 'e', 'f', first, second, now],
      `*warning*) for i in 1 2 3 4 5 6 7 8 9 10 11; do echo ${long}; done;;`,
    )
    const lines = await collect()
    expect(lines).toHaveLength(32)
    expect(Math.max(...lines.map(({ length }) => length))).toBe(256)
  })

  it('says so when the boots cannot be listed', async () => {
    await writeFile(join(directory, 'journalctl'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    expect(await collect()).toEqual(['journal: its boots cannot be listed'])
  })
})
