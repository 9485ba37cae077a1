import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeEntry } from './entry-content.ts'
import { mergeArguments } from './kernel-line.ts'

const none = { image: [], host: [], machine: [] }

it('puts the image first and the machine last, so that the machine wins', () => {
  const lists = { machine: ['console=ttyS0'], image: ['quiet'], host: ['mitigations=off'] }
  expect(mergeArguments(lists)).toEqual([
    { argument: 'quiet', source: 'image' },
    { argument: 'mitigations=off', source: 'host' },
    { argument: 'console=ttyS0', source: 'machine' },
  ])
})

it('says the very same argument once, where it counts', () => {
  const lists = { ...none, image: ['console=ttyS0', 'console=tty0'], machine: ['console=ttyS0'] }
  expect(mergeArguments(lists)).toEqual([
    { argument: 'console=tty0', source: 'image' },
    { argument: 'console=ttyS0', source: 'machine' },
  ])
})

it('leaves one name with two values, for consoles are several', () => {
  const lists = { ...none, host: ['console=ttyS0', 'console=ttyS1', 'console=ttyS0'] }
  expect(mergeArguments(lists).map(({ argument }) => argument)).toEqual(['console=ttyS1', 'console=ttyS0'])
})

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kernel-line-'))
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

it('writes all three into the entry', async () => {
  const folder = join(root, 'usr/lib/bootc/kargs.d')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, '10-quiet.toml'), 'kargs = ["quiet", "panic=5"]\n')
  const deployment = { id: 'x-work1', imageId: 'x', number: 1, root, subvolume: '@var/x-work1' }
  const { options } = await describeEntry(
    { ...deployment, kernelArguments: ['mitigations=off', 'quiet'] },
    { rootUuid: 'f00d', kernelArguments: ['console=ttyS0'] },
  )
  expect(options).toBe(
    'root=UUID=f00d rootflags=subvol=@var/x-work1 rw panic=5 mitigations=off quiet console=ttyS0',
  )
})

it('opens a root on LUKS as machine.json says', async () => {
  const deployment = { id: 'x-work2', imageId: 'x', number: 2, root, subvolume: '@var/x-work2' }
  const machine = ['rd.luks.name=1f4a=root', 'console=ttyS0']
  const { options } = await describeEntry(deployment, { rootUuid: 'f00d', kernelArguments: machine })
  expect(options).toBe('root=UUID=f00d rootflags=subvol=@var/x-work2 rw rd.luks.name=1f4a=root console=ttyS0')
})
