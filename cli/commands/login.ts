import { rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { locateContext, loginFilesOf, readContextFile, writeContext } from '../context.ts'
import type { ContextFile } from '../context.ts'
import { writeWhole } from '../dev/state-file.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { pinnedAuthority } from '../login/authority.ts'
import type { Pin } from '../login/authority.ts'
import { logIn } from '../login/log-in.ts'
import type { Proof } from '../login/log-in.ts'
import type { Session } from '../session.ts'

export type LoginOptions = {
  readonly sshKey?: string
  readonly oidcTokenFile?: string
  readonly server?: string
  readonly address?: string
  readonly caFile?: string
  readonly caFingerprint?: string
  readonly life: number
}

/** Key and certificate are one file, so that there is never a new one of one with an old one of the other. */
export async function runLogin(
  { terminal, contextFlag }: Session,
  options: LoginOptions,
): Promise<ExitStatus> {
  const { path } = await locateContext(contextFlag, terminal)
  const before = await readContextFile({ path })
  requireNoOther(path, before)
  const server = options.server ?? before?.login?.server
  if (server === undefined) throw missing('where to log in', '--server HOST:PORT, its join.listen')
  const proof = proofOf(options, before)
  const authorityPem = await pinnedAuthority(pinOf(options, before, path), server, terminal.signal)
  const given = await logIn({ server, authorityPem, proof, lifeMs: options.life }, terminal)
  const address = [options.address, before?.address, given.controllerAddress].find(
    (told) => (told ?? '') !== '',
  )
  if (address === undefined)
    throw missing('where operators reach the controller', '--address HOST:PORT, its grpc.listen')
  const names = loginFilesOf(path)
  await writeWhole(join(dirname(path), names.identity), `${given.keyPem}${given.certificatePem}`, 0o600)
  await writeWhole(join(dirname(path), names.authority), authorityPem)
  const login = {
    server,
    ...(proof.kind === 'ssh' ? { sshKey: proof.key } : { oidcTokenFile: proof.tokenFile }),
  }
  const both = { certificate: names.identity, key: names.identity }
  await writeContext(path, { address, ca: names.authority, ...both, login })
  const until = new Date(given.expiresAtMs).toISOString()
  terminal.note(`✔ logged in as ${given.name} until ${until}\n`)
  return exitStatus.done
}

export async function runLogout({ terminal, contextFlag }: Session): Promise<ExitStatus> {
  const { path } = await locateContext(contextFlag, terminal)
  const before = await readContextFile({ path })
  if (before?.login === undefined)
    throw new CliError('BadUsage', `logging out: nobody logged in with the context ${path}`)
  const { certificate: _certificate, key: _key, ...rest } = before
  await writeContext(path, rest)
  await rm(join(dirname(path), loginFilesOf(path).identity), { force: true })
  terminal.note('✔ logged out; "bootfleet login" logs in again\n')
  return exitStatus.done
}

/** A certificate that an admin gave may be the only way in that is left. */
function requireNoOther(path: string, before: ContextFile | null): void {
  if (before === null || before.login !== undefined || before.certificate === undefined) return
  const message = `logging in: the context ${path} names a certificate that no login brought; name another context with --context, or take certificate and key out of it`
  throw new CliError('BadUsage', message)
}

function pinOf(options: LoginOptions, before: ContextFile | null, contextPath: string): Pin {
  const { caFile, caFingerprint } = options
  if (caFile !== undefined && caFingerprint !== undefined)
    throw new CliError('BadUsage', 'logging in: give --ca-file or --ca-fingerprint, not both')
  if (caFile !== undefined) return { kind: 'file', path: caFile }
  if (caFingerprint !== undefined) return { kind: 'fingerprint', sha256: caFingerprint }
  if (before !== null) return { kind: 'file', path: resolve(dirname(contextPath), before.ca) }
  throw missing('by which CA to know the controller', '--ca-file FILE or --ca-fingerprint SHA256')
}

function missing(what: string, todo: string): CliError {
  return new CliError(
    'BadUsage',
    `logging in: the context does not say ${what}; the first time write ${todo}`,
  )
}

function proofOf({ sshKey, oidcTokenFile }: LoginOptions, before: ContextFile | null): Proof {
  if (sshKey !== undefined && oidcTokenFile !== undefined)
    throw new CliError('BadUsage', 'logging in: give --ssh-key or --oidc-token-file, not both')
  const told = sshKey === undefined && oidcTokenFile === undefined ? before?.login : { sshKey, oidcTokenFile }
  if (told?.sshKey !== undefined) return { kind: 'ssh', key: resolve(told.sshKey) }
  if (told?.oidcTokenFile !== undefined) return { kind: 'oidc', tokenFile: resolve(told.oidcTokenFile) }
  throw missing('with what', '--ssh-key FILE, either half of it, or --oidc-token-file FILE')
}
