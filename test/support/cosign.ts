import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

const PROGRAM = join(import.meta.dirname, '../../.cache/tools/cosign')
/** Of the major version before, as Debian 13 has it. */
const PROGRAM_2 = `${PROGRAM}-2`

export type KeyKind = 'ec' | 'ed25519' | 'rsa'
export type SigningKey = { readonly path: string; readonly publicPem: string }

/** Keys made by others and taken over by cosign, as it makes only ECDSA keys itself. */
export async function importKey(dir: string, name: string, kind: KeyKind = 'ec'): Promise<SigningKey> {
  const { privateKey, publicKey } = pairOf(kind)
  const pem = join(dir, `${name}.pem`)
  await writeFile(pem, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const prefix = join(dir, name)
  await cosign(dir, ['import-key-pair', '--yes', '--key', pem, '--output-key-prefix', prefix])
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { path: `${prefix}.key`, publicPem }
}

function pairOf(kind: KeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
}

/** Nothing is told to any public log. */
export async function signImage(
  dir: string,
  image: string,
  { path }: SigningKey,
  form: 'simple-signing' | 'bundle' | 'cosign 2',
): Promise<void> {
  if (form === 'cosign 2') {
    await cosign2(dir, [
      'sign',
      '--yes',
      '--key',
      path,
      '--tlog-upload=false',
      '--allow-http-registry',
      image,
    ])
    return
  }
  const more = form === 'bundle' ? [] : ['--new-bundle-format=false']
  const offline = ['--tlog-upload=false', '--use-signing-config=false', '--allow-http-registry', ...more]
  await cosign(dir, ['sign', '--yes', '--key', path, ...offline, image])
}

/** A signed claim about the image that is no release. */
export async function attestImage(dir: string, image: string, { path }: SigningKey): Promise<void> {
  const predicate = join(dir, 'predicate.json')
  await writeFile(predicate, '{"packages":[]}')
  const offline = ['--tlog-upload=false', '--use-signing-config=false', '--allow-http-registry']
  const about = ['--predicate', predicate, '--type', 'custom', '--new-bundle-format']
  await cosign(dir, ['attest', '--yes', '--key', path, ...offline, ...about, image])
}

/** Whether cosign takes bytes and a signature (base64) that it did not make. */
export async function verifyBlob(
  dir: string,
  blob: { readonly key: string; readonly signature: string; readonly data: string },
): Promise<boolean> {
  const words = [
    'verify-blob',
    '--key',
    blob.key,
    '--signature',
    blob.signature,
    '--insecure-ignore-tlog=true',
  ]
  const { exitCode } = await run(PROGRAM, dir, [...words, blob.data], false)
  return exitCode === 0
}

async function cosign2(dir: string, args: readonly string[]): Promise<void> {
  await run(PROGRAM_2, dir, args, true)
}

async function cosign(dir: string, args: readonly string[]): Promise<void> {
  await run(PROGRAM, dir, args, true)
}

async function run(program: string, dir: string, args: readonly string[], reject: boolean) {
  return execa(program, args, { env: { COSIGN_PASSWORD: '', HOME: dir }, timeout: 60_000, reject })
}
