import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'
import { measureFolder } from '../store/scratch.ts'
import type { Partition } from './geometry.ts'
import { sectorBytes, sizeText } from './geometry.ts'
import type { Tools } from './tools.ts'

const volumeLabel = 'ESP'

/**
 * Makes the EFI system partition and copies a folder into it, without mounting it: not every kernel has vfat, a
 * container's least of all.
 */
export async function writeEsp(
  context: Context,
  tools: Tools,
  { disk, partition, folder }: { disk: string; partition: Partition; folder: string },
): Promise<void> {
  const { signal } = context
  await requireRoom(partition, folder)
  const offset = partition.startBytes / sectorBytes
  const geometry = ['-s', String(sectorsPerCluster(partition)), '-h', String(offset), '--mbr=n']
  const blocks = String(partition.sizeBytes / 1024)
  await run(
    [tools['mkfs.fat'], '-F', '32', '-n', volumeLabel, ...geometry, `--offset=${offset}`, disk, blocks],
    { signal, attempt: 'make the EFI system partition' },
  )
  const entries = (await readdir(folder)).map((name) => join(folder, name))
  if (entries.length === 0) return
  const image = `${disk}@@${partition.startBytes}`
  await run([tools.mcopy, '-i', image, '-s', '-Q', '-m', ...entries, '::/'], {
    signal,
    attempt: 'fill the EFI system partition',
  })
}

/** An update's kernel stands beside the one that runs, so there must be room for two. */
async function requireRoom({ sizeBytes }: Partition, folder: string): Promise<void> {
  const neededBytes = 2 * (await measureFolder(folder))
  if (neededBytes <= sizeBytes) return
  const found = `two kernels with their initrds need ${sizeText(neededBytes)}, and it has ${sizeText(sizeBytes)}`
  throw new SnapError('no-space', `fill the EFI system partition: ${found}; give a bigger --esp-size`)
}

/** mkfs.fat's own rule; left alone it goes by the size of the whole disk, and its FAT32 is then read as FAT16. */
function sectorsPerCluster({ sizeBytes }: Partition): number {
  return sizeBytes <= 260 * 1024 * 1024 ? 1 : 8
}
