import { basename, dirname, join } from 'node:path'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { readPem } from '../../trust/keys.ts'
import { writeAll } from '../../trust/write-all.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import { told } from './trust.ts'

/** A CA that follows the one in use. */
export function runTrustCa(terminal: Terminal, file: string): Promise<ExitStatus> {
  return told(async () => {
    await writePair(file, await createAuthority())
    const next = 'name the certificate in a bundle with trust rotate --add-ca before you use it'
    terminal.note(`✔ ${file} is secret, ${certificateOf(file)} is its certificate; ${next}\n`)
    return exitStatus.done
  })
}

export type ServerNames = { readonly dns: readonly string[]; readonly ip: readonly string[] }

/** A certificate for the controller, by a CA whose key is at hand. */
export function runTrustServer(
  terminal: Terminal,
  file: string,
  options: ServerNames & { readonly ca: string },
): Promise<ExitStatus> {
  return told(async () => {
    const keyPem = await readPem(options.ca, 'the CA key')
    const certificatePem = await readPem(certificateOf(options.ca), 'the CA certificate')
    const authority = await openAuthority({ keyPem, certificatePem })
    await writePair(file, await authority.issueServer(options))
    const next = 'put both into pki.dir as server.key and server.pem; the controller takes them as it runs'
    terminal.note(`✔ ${file} is secret, ${certificateOf(file)} is its certificate; ${next}\n`)
    return exitStatus.done
  })
}

function writePair(file: string, { keyPem, certificatePem }: KeyAndCertificate): Promise<void> {
  return writeAll(dirname(file), [
    { path: basename(file), text: keyPem, secret: true },
    { path: basename(certificateOf(file)), text: certificatePem, secret: false },
  ])
}

function certificateOf(file: string): string {
  if (file.endsWith('.key')) return join(dirname(file), `${basename(file, '.key')}.pem`)
  throw new CliError('BadUsage', `making a key in ${file}: name a file in .key`)
}
