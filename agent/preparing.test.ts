import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { BootGuard } from './hosts/host-driver.ts'
import { readGuardUntilDone } from './preparing.ts'

const log = pino({ level: 'silent' })

test('a boot loader that could not be asked is asked again, and not taken for one that counts', async () => {
  const answers: (BootGuard | Error)[] = [new Error('busy'), 'uncounted']
  const bootGuard = async (): Promise<BootGuard> => {
    const answer = answers.shift() ?? null
    if (answer instanceof Error) throw answer
    return answer
  }
  await expect(readGuardUntilDone({ bootGuard }, log, new AbortController().signal)).resolves.toBe(
    'uncounted',
  )
})

test('asking ends when the agent does', async () => {
  const stop = new AbortController()
  const bootGuard = async (): Promise<BootGuard> => {
    stop.abort()
    throw new Error('busy')
  }
  await expect(readGuardUntilDone({ bootGuard }, log, stop.signal)).resolves.toBeNull()
})
