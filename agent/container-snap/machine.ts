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
  { kind, esp, tries = triesDefault }: Readonly<Record<string, unknown>>,
  wrong: (found: string) => SnapError,
): MachineConfig['loader'] {
  switch (kind) {
    case 'none':
    case 'tukit-grub2':
      return { kind }
    case 'systemd-boot': {
      if (typeof esp !== 'string' || !esp.startsWith('/')) throw wrong('loader.esp is not an absolute path')
      const count = Number.isInteger(tries) ? Number(tries) : 0
      if (count < 1 || count > 9) throw wrong('loader.tries is not a number from 1 to 9')
      return { kind, esp, tries: count }
    }
    default:
      throw wrong(`loader.kind ${JSON.stringify(kind)} is none of none, systemd-boot, tukit-grub2`)
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
