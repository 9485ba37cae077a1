import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { chooseSubvolume } from '../../container-snap/testing/firmware.ts'
import type { TestMachine } from './machine.ts'

/** The new root, with what its fstab mounts, as a reboot would have it. */
export async function bootNewRoot(machine: TestMachine, store: string): Promise<string> {
  const name = await chooseSubvolume(join(machine.root, 'efi'))
  const deployment = `${store}/snapshots/btrfs/subvolumes/${name}`
  const { fstab } = await deployedEtc(machine)
  const mounts = fstab
    .split('\n')
    .map((line) => /^UUID=\S+ \/(\S+) btrfs subvol=([^, ]+)/.exec(line))
    .flatMap((match) => (match === null ? [] : [[match[2] ?? '', match[1] ?? ''] as const]))
  await machine.bootInto(deployment, [...mounts, ['@efi', 'efi']])
  return deployment
}

/** Of the first deployment, whether it runs or not. */
export async function deployedEtc(
  machine: TestMachine,
): Promise<Record<'fstab' | 'passwd' | 'group' | 'shadow', string>> {
  const folder = join(machine.root, '../looked-at')
  const source = (await execa('findmnt', ['-nvo', 'SOURCE', '--mountpoint', machine.root])).stdout
  await execa('mkdir', ['-p', folder])
  await execa('mount', ['-o', 'subvolid=5,noatime', source, folder])
  try {
    const { stdout } = await execa(
      'sh',
      ['-c', 'find . -path "*-work1/etc" -not -path "*/usr/*" | head -n 1'],
      {
        cwd: folder,
      },
    )
    const read = async (name: string): Promise<string> => readFile(join(folder, stdout, name), 'utf8')
    return {
      fstab: await read('fstab'),
      passwd: await read('passwd'),
      group: await read('group'),
      shadow: await read('shadow'),
    }
  } finally {
    await execa('umount', [folder])
  }
}
