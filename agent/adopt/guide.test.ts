import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { notPrinted, stepsOf } from '../../test/support/tour.ts'
import type { Preflight } from './preflight.ts'
import { bootNewRoot } from './testing/boots.ts'
import { LAYOUTS, openTestMachine } from './testing/machine.ts'
import { openAdoptWorld } from './testing/world.ts'

const STORE = '@adopted-var/lib/container-snap'

test('docs/adopt.md is walked from top to bottom, and prints what it shows', async () => {
  const world = await openAdoptWorld(process.env['PATH'] ?? '')
  const machine = await openTestMachine(LAYOUTS.Debian)
  const repository = world.image.replace(/:1$/, '')
  const at = ['--sysroot', machine.root]
  const fingerprint = async (): Promise<string> => {
    const { lines } = await world.run('--dry-run', '--json', ...at, world.image)
    return (JSON.parse(lines[0] ?? '') as Preflight).fingerprint
  }

  /** The document's machine and image are others than this test's; what it types is not. */
  async function type(command: string): Promise<{ status: number; lines: readonly string[] }> {
    const [program = '', ...words] = command.split(' ')
    if (program === 'reboot') {
      await bootNewRoot(machine, STORE)
      return { status: 0, lines: [] }
    }
    if (program === 'container-snap') {
      await world.snap(...at, ...words)
      return { status: 0, lines: [] }
    }
    expect([program, words[0]]).toEqual(['bootfleet-agent', 'adopt'])
    const print = words.includes('--approve') ? (await fingerprint()).slice(0, 12) : ''
    const meant = words.slice(1).map((word) => {
      if (/^[0-9a-f]{12}$/.test(word)) return print
      return word.startsWith('registry.example/') ? world.image : word
    })
    const { status, lines, error } = await world.run(...meant, ...at)
    if (error !== '') return { status: 1, lines: [`bootfleet-agent: ${error}`] }
    return { status, lines: lines.map((line) => line.replaceAll(repository, 'registry.example/os/till')) }
  }

  try {
    const steps = stepsOf(readFileSync(join(import.meta.dirname, '../../docs/adopt.md'), 'utf8'))
    expect(steps.length).toBeGreaterThan(5)
    for (const { line, command, shown, status } of steps) {
      const answer = await type(command)
      expect({ line, status: answer.status, missing: notPrinted(shown, answer.lines) }).toEqual({
        line,
        status,
        missing: [],
      })
    }
  } finally {
    await machine.close()
    await world.close()
  }
})
