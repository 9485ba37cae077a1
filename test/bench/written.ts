import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { execa } from 'execa'

const sectorBytes = 512

/** What reached the block device under `directory` while `work` ran. */
export async function bytesWritten(directory: string, work: () => Promise<void>): Promise<number> {
  const { stdout } = await execa('findmnt', [
    '--noheadings',
    '--nofsroot',
    '--output',
    'SOURCE',
    '--target',
    directory,
  ])
  const file = `/sys/block/${basename(stdout.trim())}/stat`
  // Field 7 of the kernel's block statistics: sectors written, always of 512 bytes.
  const sectors = async (): Promise<number> => Number((await readFile(file, 'utf8')).trim().split(/\s+/)[6])
  const before = await sectors()
  await work()
  return ((await sectors()) - before) * sectorBytes
}
