import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from './errors.ts'
import type { StorePaths } from './store/paths.ts'

/** What container-snap must know of the machine; `machine.json` beside the ledger, written by the installer. */
export type MachineConfig = {
  version: 1
  loader:
    | { kind: 'none' }
    /** `esp`: where the EFI system partition is mounted, seen from the machine's root. */
    | { kind: 'systemd-boot'; esp: string; tries: number }
    /**
     * `boot`: a folder on a file system that GRUB reads and writes; `config`: the folder of its grub.cfg. `unguarded`:
     * go on where GRUB cannot count tries.
     */
    | { kind: 'grub'; boot: string; config: string; tries: number; unguarded: boolean }
    | { kind: 'tukit-grub2' }
  /** The machine's own; they come after the image's. */
  kernelArguments: readonly string[]
}

export const triesDefault = 3

/** A machine without the file has no loader of ours: its btrfs default decides. */
const unconfigured: MachineConfig = { version: 1, loader: { kind: 'none' }, kernelArguments: [] }

export function machineFile(paths: StorePaths): string {
  return join(paths.base, 'machine.json')
}

/** @throws SnapError storage-failed where the file is there and cannot be understood: to guess a loader is worse. */
export async function readMachine(paths: StorePaths): Promise<MachineConfig> {
  const file = machineFile(paths)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new SnapError('storage-failed', `read ${file}: ${error.message}`, { cause: error })
  })
  return text === null ? unconfigured : parseMachine(text, file)
}

export function parseMachine(text: string, file: string): MachineConfig {
  const wrong = (found: string): SnapError =>
    new SnapError('storage-failed', `read ${file}: ${found}; see container-snap's reference, "machine.json"`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw wrong((error as Error).message)
  }
  const { version, loader, kernelArguments } = fieldsOf(value)
  if (version !== 1) throw wrong(`version ${JSON.stringify(version)} is not 1`)
  if (
    !Array.isArray(kernelArguments) ||
    !kernelArguments.every((one) => typeof one === 'string' && /^[\x21-\x7e]+$/.test(one))
  ) {
    throw wrong('kernelArguments is not a list of words')
  }
  return { version: 1, loader: parseLoader(fieldsOf(loader), wrong), kernelArguments }
}

function parseLoader(
  { kind, esp, boot, config, tries, unguarded = false }: Readonly<Record<string, unknown>>,
  wrong: (found: string) => SnapError,
): MachineConfig['loader'] {
  const path = (name: string, value: unknown): string => {
    if (typeof value === 'string' && value.startsWith('/')) return value
    throw wrong(`loader.${name} is not an absolute path`)
  }
  switch (kind) {
    case 'none':
    case 'tukit-grub2':
      return { kind }
    case 'systemd-boot':
      return { kind, esp: path('esp', esp), tries: parseTries(tries, wrong) }
    case 'grub':
      if (typeof unguarded !== 'boolean') throw wrong('loader.unguarded is neither true nor false')
      return {
        kind,
        boot: path('boot', boot),
        config: path('config', config),
        tries: parseTries(tries, wrong),
        unguarded,
      }
    default:
      throw wrong(`loader.kind ${JSON.stringify(kind)} is none of none, systemd-boot, grub, tukit-grub2`)
  }
}

function parseTries(tries: unknown, wrong: (found: string) => SnapError): number {
  const count = tries === undefined ? triesDefault : tries
  if (Number.isInteger(count) && Number(count) >= 1 && Number(count) <= 9) return Number(count)
  throw wrong('loader.tries is not a number from 1 to 9')
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
