import { dirname, join } from 'node:path'
import { isExpired } from '../../proto/trust-chain.ts'
import type { TrustRole } from '../../proto/trust-roles.ts'
import { appendToChain, readChain } from '../../trust/chain-file.ts'
import { TrustError } from '../../trust/errors.ts'
import { INIT_DEFAULTS, initTrust, isComplete } from '../../trust/init.ts'
import { makeKey, privatePem, publicPem, readKeyFile, readPem, readPrivateKeyFile } from '../../trust/keys.ts'
import { resignAccounts } from '../../trust/nats-resign.ts'
import { nextBundle } from '../../trust/rotate.ts'
import { writeAll } from '../../trust/write-all.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderTrust, trustAsJson } from '../render/trust.ts'
import type { Terminal } from '../terminal.ts'

export type RoleAndValue = { readonly role: TrustRole; readonly value: string }

export type InitFlags = {
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly operator: string
  readonly rootKeys: number
  readonly releaseKeys: number
  readonly threshold: readonly RoleAndValue[]
  readonly life: number
  readonly importCa?: string
  readonly importCaKey?: string
  readonly importKey: readonly RoleAndValue[]
  readonly ifMissing?: true
}

export async function runTrustInit(terminal: Terminal, dir: string, flags: InitFlags): Promise<ExitStatus> {
  return told(async () => {
    if (flags.ifMissing === true && (await isComplete(dir))) {
      terminal.note(`${dir} has it all already\n`)
      return exitStatus.done
    }
    await initTrust({
      dir,
      dns: flags.dns,
      ip: flags.ip,
      operator: flags.operator,
      rootKeys: flags.rootKeys,
      releaseKeys: flags.releaseKeys,
      thresholds: { ...initThresholds(flags.rootKeys), ...thresholdsOf(flags.threshold) },
      lifeMs: flags.life,
      importCa: importedCa(flags),
      importKeys: flags.importKey.map(({ role, value }) => ({ role, file: value })),
    })
    terminal.note(`✔ the trust of a new deployment is in ${dir}; its README.txt says what goes where\n`)
    return exitStatus.done
  })
}

function importedCa({ importCa, importCaKey }: InitFlags): { certificate: string; key: string } | null {
  if (importCa === undefined && importCaKey === undefined) return null
  if (importCa !== undefined && importCaKey !== undefined) return { certificate: importCa, key: importCaKey }
  throw new CliError('BadUsage', 'importing a CA: --import-ca and --import-ca-key go together')
}

/** Two of three by default; one of one when only one is wanted. */
function initThresholds(rootKeys: number): Readonly<Record<TrustRole, number>> {
  return { ...INIT_DEFAULTS.thresholds, root: Math.min(INIT_DEFAULTS.thresholds.root, rootKeys) }
}

export type RotateFlags = {
  readonly rootKey: readonly string[]
  readonly replace: readonly RoleAndValue[]
  readonly add: readonly RoleAndValue[]
  readonly remove: readonly RoleAndValue[]
  readonly threshold: readonly RoleAndValue[]
  readonly addCa: readonly string[]
  readonly removeCa: readonly string[]
  readonly life: number
}

export async function runTrustRotate(
  terminal: Terminal,
  path: string,
  flags: RotateFlags,
): Promise<ExitStatus> {
  return told(async () => {
    const chain = await readChain(path)
    const readCas = (files: readonly string[]): Promise<string[]> =>
      Promise.all(files.map((file) => readPem(file, 'a CA certificate')))
    const bundle = nextBundle(chain.newest, {
      replace: await readKeys(flags.replace),
      add: await readKeys(flags.add),
      remove: flags.remove.map(({ role, value }) => ({ role, id: value })),
      thresholds: thresholdsOf(flags.threshold),
      addAuthorities: await readCas(flags.addCa),
      removeAuthorities: await readCas(flags.removeCa),
      lifeMs: flags.life,
      signers: await Promise.all(flags.rootKey.map((file) => readPrivateKeyFile(file))),
      nowMs: Date.now(),
    })
    await appendToChain(path, chain, bundle.envelope)
    terminal.note(`✔ ${path} ends with bundle ${bundle.content.number} now\n`)
    terminal.out(renderTrust(bundle, Date.now()))
    return exitStatus.done
  })
}

export async function runTrustKey(terminal: Terminal, role: TrustRole, file: string): Promise<ExitStatus> {
  if (!file.endsWith('.key')) throw new CliError('BadUsage', `making a key in ${file}: name a file in .key`)
  return told(async () => {
    const { privateKey, publicKey } = makeKey(role)
    const name = file.slice(dirname(file) === '.' ? 0 : dirname(file).length + 1, -'.key'.length)
    await writeAll(dirname(file), [
      { path: `${name}.key`, text: privatePem(privateKey), secret: true },
      { path: `${name}.pem`, text: publicPem(publicKey), secret: false },
    ])
    terminal.note(`✔ ${file} is secret, ${join(dirname(file), `${name}.pem`)} is its public half\n`)
    return exitStatus.done
  })
}

export async function runTrustShow(
  terminal: Terminal,
  path: string,
  output: 'json' | 'text',
): Promise<ExitStatus> {
  return told(async () => {
    const { newest } = await readChain(path)
    terminal.out(output === 'json' ? trustAsJson(newest) : renderTrust(newest, Date.now()))
    return exitStatus.done
  })
}

export async function runTrustVerify(
  terminal: Terminal,
  path: string,
  first: string | null,
): Promise<ExitStatus> {
  return told(async () => {
    const { envelopes, newest } = await readChain(path)
    const { number, expiresAt } = newest.content
    if (first !== null) {
      const [wanted, found] = [(await readChain(first)).envelopes[0], envelopes[0]]
      if (wanted === undefined || found === undefined || Buffer.compare(wanted, found) !== 0) {
        throw new CliError('StateInvalid', `checking ${path}: it does not begin as ${first} does`)
      }
    }
    if (isExpired(newest, Date.now())) {
      throw new CliError(
        'StateInvalid',
        `checking ${path}: bundle ${number} expired at ${expiresAt}; rotate it`,
      )
    }
    terminal.note(
      `✔ ${number === 1 ? 'bundle 1 is' : `bundles 1 to ${number} are`} good, until ${expiresAt}\n`,
    )
    return exitStatus.done
  })
}

function thresholdsOf(given: readonly RoleAndValue[]): Partial<Record<TrustRole, number>> {
  return Object.fromEntries(
    given.map(({ role, value }) => {
      if (/^[1-9][0-9]?$/.test(value)) return [role, Number(value)]
      throw new CliError('BadUsage', `reading --threshold ${role}=${value}: write a number from 1 to 16`)
    }),
  )
}

async function readKeys(given: readonly RoleAndValue[]) {
  return Promise.all(
    given.map(async ({ role, value }) => ({ role, key: (await readKeyFile(value)).publicKey })),
  )
}

export async function runTrustNats(
  terminal: Terminal,
  path: string,
  flags: {
    readonly key: string
    readonly revoke: readonly string[]
    readonly revokeAll?: true
    readonly newKeys?: string
  },
): Promise<ExitStatus> {
  return told(async () => {
    const revoke = [...flags.revoke, ...(flags.revokeAll === true ? ['*'] : [])]
    const { key: signerFile, newKeys: newKeysDir = null } = flags
    const changed = await resignAccounts({ path, signerFile, revoke, newKeysDir, nowMs: Date.now() })
    terminal.note(
      changed
        ? `✔ ${path} is signed anew; put it in place and have the server read it: nats-server --signal reload\n`
        : `${path} says all of it already\n`,
    )
    return exitStatus.done
  })
}

/** What an operator can cause is told as every other error of a command. */
/** Turns what is wrong with trust into what the command says. */
export async function told(work: () => Promise<ExitStatus>): Promise<ExitStatus> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TrustError) throw new CliError('StateInvalid', error.message, { cause: error })
    throw error
  }
}
