import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { locateContext, readContext } from './context.ts'

const homeDir = '/home/kim'

it('prefers the flag to the environment, the environment to what was chosen, and that to the default', async () => {
  const dir = await temporaryDir()
  const named = (name: string): string => join(dir, 'bootfleet', 'contexts', `${name}.json`)
  const environment = { BOOTFLEET_CONTEXT: '/from/environment.json', XDG_CONFIG_HOME: dir }
  const locate = (flag: string | undefined, fromEnvironment = ''): ReturnType<typeof locateContext> =>
    locateContext(flag, { environment: { ...environment, BOOTFLEET_CONTEXT: fromEnvironment }, homeDir })
  expect(await locate('/from/flag.json', '/from/environment.json')).toEqual({
    path: '/from/flag.json',
    from: 'flag',
  })
  expect(await locate('shop', 'edge')).toEqual({ path: named('shop'), from: 'flag' })
  expect(await locate(undefined, '/from/environment.json')).toEqual({
    path: '/from/environment.json',
    from: 'environment',
  })
  expect(await locate(undefined, 'edge')).toEqual({ path: named('edge'), from: 'environment' })
  expect(await locate(undefined)).toEqual({ path: join(dir, 'bootfleet', 'context.json'), from: 'default' })
  await mkdir(join(dir, 'bootfleet'))
  await writeFile(join(dir, 'bootfleet', 'current-context'), 'edge\n')
  expect(await locate(undefined)).toEqual({ path: named('edge'), from: 'choice' })
  expect(await locate('default')).toEqual({ path: join(dir, 'bootfleet', 'context.json'), from: 'flag' })
  await writeFile(join(dir, 'bootfleet', 'current-context'), '../../elsewhere\n')
  await expect(locate(undefined)).rejects.toThrow('"bootfleet context use NAME" writes it anew')
})

it('looks below the home directory where XDG_CONFIG_HOME is not set', async () => {
  const { path } = await locateContext(undefined, { environment: {}, homeDir })
  expect(path).toBe('/home/kim/.config/bootfleet/context.json')
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
  await expect(readContext({ path, from: 'flag' })).rejects.toThrow(/at ca/)
})

it('says to log in where a context names no certificate', async () => {
  const path = join(await temporaryDir(), 'context.json')
  const context = { address: 'host:1', ca: 'ca.pem' }
  await writeFile(path, JSON.stringify(context))
  await expect(readContext({ path, from: 'flag' })).rejects.toMatchObject({ code: 'LoginNeeded' })
  await writeFile(path, JSON.stringify({ ...context, login: { server: 'host:2', sshKey: '/key' } }))
  await expect(readContext({ path, from: 'flag' })).rejects.toThrow(
    'nobody is logged in; run "bootfleet login"',
  )
})

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-context-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}
