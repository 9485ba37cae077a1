import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrustContent } from '../proto/trust-bundle.ts'
import type { TrustRole } from '../proto/trust-roles.ts'
import { openFirstBundle, sealBundle } from '../proto/trust-chain.ts'
import { createAuthority, openAuthority } from './certificate-authority.ts'
import type { KeyAndCertificate } from './certificate-authority.ts'
import { CHAIN_FILE, chainText } from './chain-file.ts'
import { contentOf } from './content.ts'
import type { Thresholds } from './content.ts'
import { TrustError } from './errors.ts'
import { makeKey, privatePem, publicPem, readKeyFile, readPem } from './keys.ts'
import type { RoleKey } from './keys.ts'
import { natsFiles } from './nats-files.ts'
import { readmeText } from './readme.ts'
import { writeAll } from './write-all.ts'
import type { NewFile } from './write-all.ts'

export type InitOptions = {
  readonly dir: string
  /** Names of the controller and of the NATS server beside localhost. */
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly operator: string
  readonly rootKeys: number
  /** 0: images need no signature, unless keys are imported or come with a later bundle. */
  readonly releaseKeys: number
  readonly thresholds: Thresholds
  readonly lifeMs: number
  readonly importCa: { readonly certificate: string; readonly key: string } | null
  /** Files of keys that exist already; a role that is given any gets no new one. */
  readonly importKeys: readonly { readonly role: TrustRole; readonly file: string }[]
}

const README = 'README.txt'

/** An operator may name others; these make 2 of 3 people needed to change whom hosts believe. */
export const INIT_DEFAULTS = {
  dns: [],
  ip: [],
  operator: 'admin',
  rootKeys: 3,
  releaseKeys: 1,
  thresholds: { root: 2, director: 1, release: 1, approver: 1 },
  lifeMs: 365 * 24 * 60 * 60 * 1000,
  importCa: null,
  importKeys: [],
} as const

/** Whether an earlier run made a whole directory; one that was cut off is not, and is not gone on with. */
export async function isComplete(dir: string): Promise<boolean> {
  // Written last.
  return stat(join(dir, README)).then(
    () => true,
    () => false,
  )
}

type MadeKeys = Readonly<Record<TrustRole, readonly RoleKey[]>>

/**
 * Makes the trust of a new deployment in an empty directory, private parts split by who keeps them.
 * @throws TrustError TrustInvalid when one of the files exists, or what is imported cannot be used.
 */
export async function initTrust(options: InitOptions): Promise<void> {
  const keys = await gatherKeys(options)
  const root = options.importCa === null ? await createAuthority() : await importAuthority(options.importCa)
  const authority = await openAuthority(root)
  const content = firstContent(options, keys, root.certificatePem)
  const chain = chainText([signFirst(content, keys)])
  const server = await authority.issueServer(options)
  const nats = await natsFiles(await authority.issueServer(options, 'nats'), root.certificatePem)
  const operator = await authority.issueOperator(options.operator)
  await writeAll(options.dir, [
    ...keyFiles('root', 'root', keys.root),
    ...keyFiles('release', 'release', keys.release),
    ...keyFiles('approver', 'approver', keys.approver),
    ...keyFiles('controller', 'director', keys.director),
    ...pairFiles('controller/ca', root),
    ...pairFiles('controller/server', server),
    { path: `controller/${CHAIN_FILE}`, text: chain, secret: false },
    ...nats,
    { path: 'controller/operators.yaml', text: operatorsText(options.operator), secret: false },
    ...pairFiles('operator/operator', operator),
    { path: 'operator/ca.pem', text: root.certificatePem, secret: false },
    { path: 'hosts/ca.pem', text: root.certificatePem, secret: false },
    { path: `hosts/${CHAIN_FILE}`, text: chain, secret: false },
    { path: README, text: readmeText(content), secret: false },
  ])
}

/** The one who operates first gives the others their roles. */
function operatorsText(name: string): string {
  return `# Who may do what: view, operate, approve or admin, by names of fleets. Followed as it changes.
bindings:
  - { who: ["${name}"], role: admin, fleets: ["*"] }
`
}

async function gatherKeys({ importKeys, releaseKeys, rootKeys }: InitOptions): Promise<MadeKeys> {
  const imported = await Promise.all(
    importKeys.map(async ({ role, file }) => ({ role, key: await readKeyFile(file) })),
  )
  const gather = (role: TrustRole, makeCount: number): readonly RoleKey[] => {
    const given = imported.filter((one) => one.role === role).map(({ key }) => key)
    return given.length > 0 ? given : Array.from({ length: makeCount }, () => makeKey(role))
  }
  const director = gather('director', 1)
  if (director.length !== 1 || director[0]?.privateKey === null) {
    throw new TrustError(
      'TrustInvalid',
      'making the trust: import one private director key at most; the controller signs with it, and rotate adds further ones',
    )
  }
  // Nobody could tell a new approver's key from another's: people bring their own.
  return {
    root: gather('root', rootKeys),
    director,
    release: gather('release', releaseKeys),
    approver: gather('approver', 0),
  }
}

async function importAuthority(files: {
  readonly certificate: string
  readonly key: string
}): Promise<KeyAndCertificate> {
  const certificatePem = await readPem(files.certificate, 'the CA certificate')
  const keyPem = await readPem(files.key, 'the CA key')
  const wrong = wrongAuthority(certificatePem, keyPem)
  if (wrong === null) return { certificatePem, keyPem }
  throw new TrustError('TrustInvalid', `importing the CA ${files.certificate}: ${wrong}`)
}

function wrongAuthority(certificatePem: string, keyPem: string): string | null {
  try {
    const certificate = new X509Certificate(certificatePem)
    if (!certificate.ca) return 'it may not issue certificates'
    return certificate.checkPrivateKey(createPrivateKey(keyPem)) ? null : 'its key is another'
  } catch {
    return 'certificate and key cannot be read as PEM without a password'
  }
}

function firstContent(options: InitOptions, keys: MadeKeys, certificatePem: string): TrustContent {
  const publicKeys = (role: TrustRole): readonly KeyObject[] => keys[role].map(({ publicKey }) => publicKey)
  const issuedAtMs = Date.now()
  return contentOf({
    number: 1,
    issuedAtMs,
    expiresAtMs: issuedAtMs + options.lifeMs,
    keys: {
      root: publicKeys('root'),
      director: publicKeys('director'),
      release: publicKeys('release'),
      approver: publicKeys('approver'),
    },
    thresholds: options.thresholds,
    certificateAuthorities: [certificatePem],
  })
}

/** The director signs too: hosts that knew nothing but its key take the bundle on its word. */
function signFirst(content: TrustContent, keys: MadeKeys): Uint8Array {
  const signers = [...keys.root, ...keys.director].flatMap(({ privateKey }) => privateKey ?? [])
  const found = ((): string | Uint8Array => {
    try {
      const envelope = sealBundle(content, signers)
      const opened = openFirstBundle(envelope)
      return opened.kind === 'opened' ? envelope : opened.detail
    } catch (error) {
      if (error instanceof RangeError) return error.message
      throw error
    }
  })()
  if (typeof found !== 'string') return found
  throw new TrustError(
    'TrustInvalid',
    `making the first trust bundle: ${found}; check the thresholds and imported keys`,
  )
}

/** One key of a role has the role's name, several are numbered. A key whose private half is elsewhere has no `.key`. */
function keyFiles(folder: string, name: string, keys: readonly RoleKey[]): readonly NewFile[] {
  return keys.flatMap(({ publicKey, privateKey }, index) => {
    const path = `${folder}/${keys.length === 1 && name !== 'root' ? name : `${name}-${index + 1}`}`
    const file: NewFile = { path: `${path}.pem`, text: publicPem(publicKey), secret: false }
    return privateKey === null
      ? [file]
      : [file, { path: `${path}.key`, text: privatePem(privateKey), secret: true }]
  })
}

function pairFiles(path: string, { keyPem, certificatePem }: KeyAndCertificate): readonly NewFile[] {
  return [
    { path: `${path}.pem`, text: certificatePem, secret: false },
    { path: `${path}.key`, text: keyPem, secret: true },
  ]
}
