import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { LoaderFacts } from './hosts/host-driver.ts'
import { isDeployed, readLoaderUntilDone } from './preparing.ts'

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

test('what runs is asked for again until it is known, and no host is taken out of its fleet while it is not', async () => {
  const facts = { bootId: 'boot-1', current: null, default: null, deployments: [] }
  const answers = [new Error('busy'), facts]
  const inspect = async () => {
    const answer = answers.shift() ?? facts
    if (answer instanceof Error) throw answer
    return answer
  }
  await expect(isDeployed({ inspect }, log, new AbortController().signal)).resolves.toBe(false)
  await expect(isDeployed({ inspect }, log, AbortSignal.abort())).resolves.toBe(true)
})
