import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runScenario } from '../../test/support/rollout-scenario.ts'

const folder = new URL('testdata/', import.meta.url)

describe('rollout scenarios', () => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  for (const name of names) {
    it(`decides as written down in ${name}`, async () => {
      const trace = runScenario(readFileSync(new URL(name, folder), 'utf8'))
      await expect(trace).toMatchFileSnapshot(new URL(name, folder).pathname)
    })
  }
})
