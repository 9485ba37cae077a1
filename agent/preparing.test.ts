import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { LoaderFacts } from './hosts/host-driver.ts'
import { readLoaderUntilDone } from './preparing.ts'

const log = pino({ level: 'silent' })

test('a boot loader that could not be asked is asked again, and not taken for one that counts', async () => {
  const known: LoaderFacts = { kernelLine: [], guard: 'uncounted' }
  const answers = [new Error('busy'), known]
  const loaderFacts = async (): Promise<LoaderFacts> => {
    const answer = answers.shift() ?? known
    if (answer instanceof Error) throw answer
    return answer
  }
  const { signal } = new AbortController()
  await expect(readLoaderUntilDone({ loaderFacts }, log, signal)).resolves.toBe(known)
})

test('asking ends when the agent does', async () => {
  const stop = new AbortController()
  const loaderFacts = async (): Promise<LoaderFacts> => {
    stop.abort()
    throw new Error('busy')
  }
  const nothing = { kernelLine: null, guard: null }
  await expect(readLoaderUntilDone({ loaderFacts }, log, stop.signal)).resolves.toEqual(nothing)
})
