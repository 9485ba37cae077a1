import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { locateContext, readContext } from './context.ts'

const homeDir = '/home/kim'

it('prefers the flag to the environment, and the environment to the file', () => {
  const environment = { BOOTFLEET_CONTEXT: '/from/environment.json' }
  expect(locateContext('/from/flag.json', { environment, homeDir })).toEqual({
    path: '/from/flag.json',
    from: 'flag',
  })
  expect(locateContext(undefined, { environment, homeDir })).toEqual({
    path: '/from/environment.json',
    from: 'environment',
  })
  expect(locateContext(undefined, { environment: { BOOTFLEET_CONTEXT: '' }, homeDir })).toEqual({
    path: '/home/kim/.config/bootfleet/context.json',
    from: 'default',
  })
})

it('looks below XDG_CONFIG_HOME when that is set', () => {
  const environment = { XDG_CONFIG_HOME: '/xdg' }
  expect(locateContext(undefined, { environment, homeDir }).path).toBe('/xdg/bootfleet/context.json')
})

it('resolves the paths in a context against the file', async () => {
  const dir = await temporaryDir()
  const path = join(dir, 'context.json')
  await writeFile(path, '{"address":"host:1","ca":"ca.pem","certificate":"sub/c.pem","key":"/abs/key"}')
  expect(await readContext({ path, from: 'flag' })).toEqual({
    address: 'host:1',
    ca: join(dir, 'ca.pem'),
    certificate: join(dir, 'sub/c.pem'),
    key: '/abs/key',
  })
})

it('says where it looked and what to do when there is no context, and what is wrong with a bad one', async () => {
  const path = join(await temporaryDir(), 'context.json')
  await expect(readContext({ path, from: 'default' })).rejects.toThrow(/no context: .*bootfleet dev/)
  await writeFile(path, '{"address":"host:1","adress":2')
  await expect(readContext({ path, from: 'flag' })).rejects.toMatchObject({ code: 'ContextInvalid' })
  await writeFile(path, '{"address":"host:1"}')
  await expect(readContext({ path, from: 'flag' })).rejects.toThrow(/certificate/)
})

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-context-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}
