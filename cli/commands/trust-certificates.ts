import { basename, dirname, join } from 'node:path'
import { identityUri, parseIdentityUri } from '../../proto/identity.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../../trust/certificate-authority.ts'
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

const PUT = {
  controller: 'put both into pki.dir as server.key and server.pem; the controller takes them as it runs',
  nats: 'put both on the NATS server as server.key and server.pem, then nats-server --signal reload',
} as const

/** A certificate for a program, by a CA whose key is at hand. */
export function runTrustServer(
  terminal: Terminal,
  file: string,
  options: ServerNames & { readonly ca: string; readonly kind: 'controller' | 'nats' },
): Promise<ExitStatus> {
  return told(async () => {
    const authority = await authorityOf(options.ca)
    await writePair(file, await authority.issueServer(options, options.kind))
    const next = PUT[options.kind]
    terminal.note(`✔ ${file} is secret, ${certificateOf(file)} is its certificate; ${next}\n`)
    return exitStatus.done
  })
}

/** Of who has the CA's key, and so could be anybody: for the first one under a new CA. */
export function runTrustOperator(
  terminal: Terminal,
  file: string,
  options: { readonly ca: string; readonly name: string },
): Promise<ExitStatus> {
  const { ca, name } = options
  if (parseIdentityUri(identityUri({ kind: 'operator', name })) === null) {
    throw new CliError(
      'BadUsage',
      `certifying operator ${JSON.stringify(name.slice(0, 64))}: it is no name; write 1 to 63 of a-z, 0-9, ".", "_" and "-"`,
    )
  }
  return told(async () => {
    await writePair(file, await (await authorityOf(ca)).issueOperator(name))
    const next = `operator ${name} calls with them, for a year`
    terminal.note(`✔ ${file} is secret, ${certificateOf(file)} is its certificate; ${next}\n`)
    return exitStatus.done
  })
}

async function authorityOf(ca: string): Promise<CertificateAuthority> {
  const keyPem = await readPem(ca, 'the CA key')
  const certificatePem = await readPem(certificateOf(ca), 'the CA certificate')
  return openAuthority({ keyPem, certificatePem })
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
