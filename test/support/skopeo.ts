import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { SigningKey } from './cosign.ts'

/** Debian 13's, which judges signatures; that of Debian 12 is built without. */
const PROGRAM = join(import.meta.dirname, '../../.cache/tools/skopeo-sigstore/skopeo')

/** What skopeo says against copying an image under a policy that asks for a signature of the key; null: nothing. */
export async function complaintOfSkopeo(
  dir: string,
  image: { readonly repository: string; readonly digest: string },
  key: SigningKey,
): Promise<string | null> {
  const [file, registries, target] = [
    join(dir, 'policy.json'),
    join(dir, 'registries.d'),
    join(dir, 'copied'),
  ]
  const keyPath = join(dir, 'skopeo.pub')
  await writeFile(keyPath, key.publicPem)
  // By default it wants the tag to match, and digests have none.
  const signed = { type: 'sigstoreSigned', keyPath, signedIdentity: { type: 'matchRepository' } }
  const docker = { [image.repository]: [signed] }
  await writeFile(file, JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }))
  await mkdir(registries, { recursive: true })
  await writeFile(join(registries, 'default.yaml'), 'default-docker: { use-sigstore-attachments: true }\n')
  await rm(target, { recursive: true, force: true })
  const settings = ['--policy', file, '--registries.d', registries]
  const source = `docker://${image.repository}@${image.digest}`
  const copy = ['copy', '--src-tls-verify=false', '--remove-signatures', source, `dir:${target}`]
  const { exitCode, stderr } = await execa(PROGRAM, [...settings, ...copy], {
    reject: false,
    timeout: 60_000,
  })
  return exitCode === 0 ? null : stderr
}
