import { run } from '../exec.ts'

export type Tpm = {
  /** A device, or what the TPM software stack takes in its place. */
  readonly tpm: string
  readonly signal: AbortSignal
}

const PROGRAM = 'systemd-creds'
/** A slow chip takes seconds, and others may hold it. */
const TIMEOUT_MS = 60_000

/**
 * To which state of the machine a secret is bound. None, as every image changes what is measured; systemd 252
 * writes that but cannot read it back, and for it 16 says the same: the register is for debugging, and all zeros
 * from every start of the machine.
 */
const REGISTERS = ['', '16'] as const

/**
 * The secret, readable only by this TPM and under this name; it was read back.
 * @throws AgentError ExecMissing, ExecFailed, Stopped.
 */
export async function sealWith(at: Tpm, name: string, secret: string): Promise<string> {
  let failure: unknown
  for (const registers of REGISTERS) {
    try {
      const sealed = await sealTo(at, registers, { name, secret })
      if ((await unsealWith(at, name, sealed)).trimEnd() === secret.trimEnd()) return sealed
      failure = new Error(`sealing ${name} with ${at.tpm}: what was read back is something else`)
    } catch (error) {
      if (at.signal.aborted) throw error
      failure = error
    }
  }
  throw failure
}

async function sealTo(
  { tpm, signal }: Tpm,
  registers: string,
  { name, secret }: { readonly name: string; readonly secret: string },
): Promise<string> {
  const binding = ['--with-key=tpm2', `--tpm2-device=${tpm}`, `--tpm2-pcrs=${registers}`]
  const attempt = `sealing ${name} with ${tpm}`
  const options = { attempt, signal, timeoutMs: TIMEOUT_MS, input: secret }
  return run([PROGRAM, 'encrypt', ...binding, `--name=${name}`, '-', '-'], options)
}

/** @throws AgentError ExecMissing, ExecFailed for what another TPM sealed or under another name, Stopped. */
export async function unsealWith({ tpm, signal }: Tpm, name: string, sealed: string): Promise<string> {
  const attempt = `unsealing ${name} with ${tpm}`
  const options = { attempt, signal, timeoutMs: TIMEOUT_MS, input: sealed }
  return run([PROGRAM, 'decrypt', `--tpm2-device=${tpm}`, `--name=${name}`, '-', '-'], options)
}
