import { readFile } from 'node:fs/promises'
import { countersign, openPermit, approverRoleOf, readPermit, sealPermit } from '../../proto/permit.ts'
import type { Permit } from '../../proto/permit.ts'
import { readChain } from '../../trust/chain-file.ts'
import { readPrivateKeyFile } from '../../trust/keys.ts'
import { writeWhole } from '../../trust/write-all.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import { told } from './trust.ts'

export type DowngradeFlags = {
  readonly fleet: string
  readonly repository: string
  readonly host?: readonly string[]
  readonly digest?: string
  readonly lowestVersion?: string
  readonly life: number
  readonly reason: string
  readonly key: readonly string[]
}

export async function runPermitDowngrade(terminal: Terminal, flags: DowngradeFlags): Promise<ExitStatus> {
  const { fleet, repository, host = [], digest, lowestVersion, life, reason } = flags
  if ((digest === undefined) === (lowestVersion === undefined)) {
    throw new CliError('BadUsage', 'making a permit: write either --lowest-version or --digest')
  }
  const nowMs = Date.now()
  const permit: Permit = {
    version: 1,
    action: 'downgrade',
    fleet,
    ...(host.length > 0 && { hosts: [...host] }),
    repository,
    ...(digest !== undefined && { digest }),
    ...(lowestVersion !== undefined && { lowestVersion }),
    issuedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + life).toISOString(),
    reason,
  }
  return told(async () => {
    const keys = await readKeys(flags.key)
    terminal.out(`${made(() => sealPermit(permit, keys))}\n`)
    terminal.note(`✔ ${sentenceOf(permit)}; put it into .bootfleet/permits in git, as a file in .json\n`)
    return exitStatus.done
  })
}

/** For a threshold above one: the keys are with different people. */
export async function runPermitSign(
  terminal: Terminal,
  path: string,
  keyFiles: readonly string[],
): Promise<ExitStatus> {
  return told(async () => {
    const { permit, document } = await readPermitFile(path)
    const keys = await readKeys(keyFiles)
    await writeWhole(path, `${made(() => countersign(document, keys))}\n`)
    terminal.note(`✔ signed: ${sentenceOf(permit)}\n`)
    return exitStatus.done
  })
}

export async function runPermitShow(
  terminal: Terminal,
  path: string,
  chain: string | null,
): Promise<ExitStatus> {
  return told(async () => {
    const { permit, document, text } = await readPermitFile(path)
    terminal.out(`${sentenceOf(permit)}\n`)
    if (chain === null) {
      const ids = document.signatures.map(({ keyid }) => keyid.slice(0, 12))
      terminal.out(`signatures, not checked, by ${ids.join(', ')}\n`)
      return exitStatus.done
    }
    const role = approverRoleOf((await readChain(chain)).newest)
    if (role === null) {
      throw new CliError(
        'StateInvalid',
        `checking ${path}: ${chain} names no approver; add one with trust rotate`,
      )
    }
    const opened = openPermit(text, role)
    if (opened.kind === 'refused') throw new CliError('StateInvalid', `checking ${path}: ${opened.detail}`)
    if (Date.parse(permit.expiresAt) <= Date.now()) {
      throw new CliError('StateInvalid', `checking ${path}: it expired at ${permit.expiresAt}; make another`)
    }
    terminal.note('✔ enough approvers signed it\n')
    return exitStatus.done
  })
}

async function readPermitFile(path: string) {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('StateInvalid', `reading a permit: ${found}`, { cause })
  })
  const read = readPermit(text.trim())
  if (read.kind === 'invalid')
    throw new CliError('StateInvalid', `reading the permit ${path}: ${read.detail}`)
  return { ...read, text: text.trim() }
}

function readKeys(files: readonly string[]) {
  return Promise.all(files.map((file) => readPrivateKeyFile(file)))
}

function made(seal: () => string): string {
  try {
    return seal()
  } catch (error) {
    if (error instanceof RangeError) throw new CliError('BadUsage', error.message, { cause: error })
    throw error
  }
}

function sentenceOf({ fleet, hosts, repository, digest, lowestVersion, expiresAt, reason }: Permit): string {
  const who = hosts === undefined ? `every host of fleet ${fleet}` : `${hosts.join(', ')} of fleet ${fleet}`
  const image = digest === undefined ? `version ${lowestVersion} or higher` : digest
  return `${who} may go back to ${image} of ${repository} until ${expiresAt}: ${reason}`
}
