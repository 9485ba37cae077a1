import type { KeyObject } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { openAuditReader, wrongInExport } from '../../proto/audit-chain.ts'
import type { AuditReader } from '../../proto/audit-chain.ts'
import { AUDIT_LINE_MAX_BYTES } from '../../proto/audit-entry.ts'
import { keyIdOf } from '../../proto/envelope.ts'
import { keysOf, openFirstBundle, openNextBundle } from '../../proto/trust-chain.ts'
import type { OpenTrust, TrustBundle } from '../../proto/trust-chain.ts'
import { readChain } from '../../trust/chain-file.ts'
import { TrustError } from '../../trust/errors.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'

export type AuditVerifyOptions = {
  readonly file: string
  /** Trust bundles that name every director key there was. */
  readonly trust: string | null
  readonly head: string | null
}

export async function runAuditVerify(
  terminal: Terminal,
  { file, trust, head }: AuditVerifyOptions,
): Promise<ExitStatus> {
  if (head !== null && !/^[0-9a-f]{12,64}$/.test(head))
    throw new CliError('BadUsage', `reading --head ${head}: write 12 to 64 digits of a SHA-256`)
  const keys = trust === null ? null : await directorKeys(trust)
  const reader = openAuditReader(keys)
  await readFileInto(reader, file, terminal.signal)
  const wrong = wrongInExport(reader)
  if (wrong !== null) throw broken(file, wrong)
  if (head !== null && !reader.has(head))
    throw broken(
      file,
      `no entry has the hash ${head}, which was noted: what came before it was written anew, or cut off`,
    )
  for (const { chain, first, last, sha256 } of reader.heads()) {
    terminal.out(`${chain}  entries ${first} to ${last}  ${sha256}\n`)
  }
  if (keys === null) terminal.note('! signatures were not checked: name the trust bundles with --trust\n')
  if (head === null) {
    terminal.note(
      '! that nothing was cut off before it was exported shows only --head, with a hash noted earlier\n',
    )
  }
  terminal.note(`✔ ${file} is whole, as exported by ${reader.last()?.actor} at ${reader.last()?.at}\n`)
  return exitStatus.done
}

async function readFileInto(reader: AuditReader, file: string, signal: AbortSignal): Promise<void> {
  const stream = createReadStream(file, { encoding: 'utf8', signal })
  let number = 0
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      number += 1
      const wrong = line.length > AUDIT_LINE_MAX_BYTES ? 'it is too long' : reader.take(line)
      if (wrong !== null) throw broken(file, `line ${number}: ${wrong}`)
    }
  } catch (error) {
    if (error instanceof CliError) throw error
    signal.throwIfAborted()
    throw new CliError('BadUsage', `reading the audit log ${file}: ${String(error)}`, { cause: error })
  } finally {
    stream.destroy()
  }
}

/** Of every bundle, not only the newest: what an earlier key signed stays true. */
async function directorKeys(path: string): Promise<ReadonlyMap<string, KeyObject>> {
  try {
    const { envelopes } = await readChain(path)
    const keys = new Map<string, KeyObject>()
    let bundle: TrustBundle | null = null
    for (const envelope of envelopes) {
      const opened: OpenTrust = bundle === null ? openFirstBundle(envelope) : openNextBundle(bundle, envelope)
      if (opened.kind === 'refused') break
      bundle = opened.bundle
      for (const key of keysOf(bundle, 'director')) keys.set(keyIdOf(key), key)
    }
    return keys
  } catch (error) {
    if (error instanceof TrustError) throw new CliError('BadUsage', error.message, { cause: error })
    throw error
  }
}

function broken(file: string, found: string): CliError {
  return new CliError('StateInvalid', `checking the audit log ${file}: ${found}`)
}
