import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import { runSshKeygen } from './git-process.ts'

export type SshSigned = {
  /** What was signed; it never leaves memory. */
  readonly text: string
  /** What it was signed for: a signature for another purpose is none. */
  readonly namespace: string
  /** As ssh-keygen -Y sign wrote it. */
  readonly signature: string
  /** Type and key, as they were parsed: it becomes a line of a list. */
  readonly publicKey: string
}

const TIMEOUT_MS = 10_000
const OUTPUT_MAX_BYTES = 64 * 1024
const PRINCIPAL = 'operator'

/**
 * Whether this key signed the text, by the program that verifies signed commits too.
 * @throws ControllerError ConfigInvalid without ssh-keygen.
 */
export async function isSshSigned(signed: SshSigned, signal: AbortSignal): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-signature-'))
  try {
    const [allowed, signature] = [join(dir, 'allowed'), join(dir, 'signature')]
    await writeFile(allowed, `${PRINCIPAL} namespaces="${signed.namespace}" ${signed.publicKey}\n`)
    await writeFile(signature, signed.signature)
    const names = ['-f', allowed, '-I', PRINCIPAL, '-n', signed.namespace, '-s', signature]
    const { end, exitCode } = await runSshKeygen({
      args: ['-Y', 'verify', ...names],
      input: Buffer.from(signed.text),
      homeDir: dir,
      signal,
      timeoutMs: TIMEOUT_MS,
      maxOutputBytes: OUTPUT_MAX_BYTES,
    })
    if (end !== 'not-started') return end === 'exited' && exitCode === 0
    const message =
      'verifying a signature: there is no ssh-keygen on PATH; install it where the controller runs'
    throw new ControllerError('ConfigInvalid', message)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
