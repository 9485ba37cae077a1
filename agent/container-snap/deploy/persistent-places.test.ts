import { lstat, mkdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

const places = ['home/kim/notes', 'root/.profile', 'srv/www/index', 'opt/app/data', 'usr/local/bin/tool']
const links = {
  home: 'var/home',
  root: 'var/roothome',
  srv: 'var/srv',
  opt: 'var/opt',
  'usr/local': '../var/usrlocal',
}

describe('what persists', () => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'systemd-boot')
  })
  afterAll(async () => {
    await machine.close()
    await depot.close()
  })
  const at = (path: string): string => join(machine.sysroot.directory, path)

  const writeAll = async (text: string): Promise<void> => {
    for (const path of places) {
      await mkdir(at(dirname(path)), { recursive: true })
      await writeFile(at(path), text)
    }
  }
  const readAll = async (): Promise<string[]> =>
    Promise.all(places.map(async (path) => readFile(at(path), 'utf8')))
  const all = (text: string): string[] => places.map(() => text)

  test('is written in one version and there in the next, and after falling back, in every place', async () => {
    for (const [path, target] of Object.entries(links)) expect(await readlink(at(path))).toBe(target)
    expect((await lstat(at('var/roothome'))).mode & 0o777).toBe(0o700)
    await writeAll('in the first')
    const second = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', second)
    await machine.boot()
    expect(await readFile(at('usr/bin/tool'), 'utf8')).toBe('tool 2')
    expect(await readAll()).toEqual(all('in the first'))
    await writeAll('in the second')
    await machine.value('rollback')
    await machine.boot()
    expect(await readFile(at('usr/bin/tool'), 'utf8')).toBe('tool 1')
    expect(await readAll()).toEqual(all('in the second'))
  })

  test('is a folder to mount on where the machine mounts its own, whatever the image has there', async () => {
    const line = 'UUID=5f0c /srv btrfs subvol=@srv 0 0\nUUID=5f0c /usr/local/ btrfs subvol=@usr-local 0 0\n'
    await writeFile(at('etc/fstab'), line)
    const id = await machine.value('deploy', machine.imageIds[3])
    const root = await machine.value('get-root', id)
    expect((await lstat(join(root, 'srv'))).isDirectory()).toBe(true)
    expect((await lstat(join(root, 'usr/local'))).isDirectory()).toBe(true)
    expect((await lstat(join(root, 'home'))).isSymbolicLink()).toBe(true)
    await writeFile(at('etc/fstab'), '')
  })
})
