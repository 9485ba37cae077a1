import { randomUUID } from 'node:crypto'
import { SnapError } from '../errors.ts'

export const sectorBytes = 512
const mebibyte = 1024 * 1024
/** Room for the table in front, and for its second copy behind. */
const tableBytes = mebibyte
/** FAT32 with fewer clusters is FAT16 to some firmware. */
const espBytesMin = 34 * mebibyte
const rootBytesMin = 256 * mebibyte

export type Partition = { startBytes: number; sizeBytes: number; uuid: string }

export type Geometry = {
  diskBytes: number
  diskUuid: string
  esp: Partition
  root: Partition
  /** UUID of the btrfs in `root`. */
  fileSystemUuid: string
}

/** The ESP first and the root last, so that the root can grow with the disk. */
export function planDisk(diskBytes: number, espBytes: number): Geometry {
  const rootStart = tableBytes + roundDown(espBytes)
  const rootBytes = roundDown(diskBytes) - tableBytes - rootStart
  if (espBytes < espBytesMin) {
    throw new SnapError('usage', `an ESP of ${sizeText(espBytes)} is too small: 34M is the least`)
  }
  if (rootBytes < rootBytesMin) {
    const left = sizeText(Math.max(0, rootBytes))
    throw new SnapError(
      'no-space',
      `divide a disk of ${sizeText(diskBytes)}: ${left} are left for the root and 256M are the least; take a bigger disk`,
    )
  }
  return {
    diskBytes,
    diskUuid: randomUUID(),
    esp: { startBytes: tableBytes, sizeBytes: roundDown(espBytes), uuid: randomUUID() },
    root: { startBytes: rootStart, sizeBytes: rootBytes, uuid: randomUUID() },
    fileSystemUuid: randomUUID(),
  }
}

function roundDown(bytes: number): number {
  return Math.floor(bytes / mebibyte) * mebibyte
}

const espType = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'

/** Discoverable Partitions Specification: a root is known by its machine's architecture. */
const rootTypes: Readonly<Record<string, string>> = {
  amd64: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  arm64: 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
}
const anyLinuxType = '0FC63DAF-8483-4772-8E79-3D69D8477DE4'

/** What sfdisk reads. */
export function partitionTable({ diskUuid, esp, root }: Geometry, architecture: string): string {
  const line = ({ startBytes, sizeBytes, uuid }: Partition, type: string, name: string): string =>
    `start=${startBytes / sectorBytes}, size=${sizeBytes / sectorBytes}, type=${type}, uuid=${uuid}, name="${name}"`
  return [
    'label: gpt',
    `label-id: ${diskUuid}`,
    'unit: sectors',
    '',
    line(esp, espType, 'ESP'),
    line(root, rootTypes[architecture] ?? anyLinuxType, 'bootfleet'),
    '',
  ].join('\n')
}

const factors: Readonly<Record<string, number>> = {
  M: mebibyte,
  G: 1024 * mebibyte,
  T: 1024 * 1024 * mebibyte,
}

/** `512M`, `20G`, `1T`; binary units, as everywhere with disks of virtual machines. */
export function parseSize(option: string, text: string): number {
  const [, digits, unit = ''] = /^([1-9][0-9]{0,6})([MGT])$/.exec(text) ?? []
  const factor = factors[unit]
  if (digits === undefined || factor === undefined)
    throw new SnapError('usage', `--${option} ${text}: not a size; write for example 512M or 20G`)
  return Number(digits) * factor
}

export function sizeText(bytes: number): string {
  const gibibytes = bytes / factors['G']!
  return gibibytes >= 1 ? `${Number(gibibytes.toFixed(1))}G` : `${Math.floor(bytes / mebibyte)}M`
}
