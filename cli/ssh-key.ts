import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './dev/process.ts'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** The public half of an SSH key, whichever half the file holds. */
export async function publicKeyOf(key: string, signal: AbortSignal): Promise<string> {
  const readable = await access(key).then(
    () => true,
    () => false,
  )
  if (!readable) throw new CliError('BadUsage', `--ssh-key ${key}: the file cannot be read`)
  if (key.endsWith('.pub')) return (await readFile(key, 'utf8')).trim()
  const beside = await readFile(`${key}.pub`, 'utf8').catch(() => null)
  return (beside ?? (await run('ssh-keygen', ['-y', '-P', '', '-f', key], { signal }))).trim()
}

/**
 * What ssh-keygen says of a text, by ssh-agent where that has the key, else by its file. A passphrase is asked for
 * on the terminal, by ssh-keygen.
 */
export async function signWithSshKey(
  { key, namespace, text }: { readonly key: string; readonly namespace: string; readonly text: string },
  { environment, signal }: Pick<Terminal, 'environment' | 'signal'>,
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-sign-'))
  try {
    const file = join(dir, 'statement')
    await writeFile(file, text)
    const agent = environment['SSH_AUTH_SOCK']
    const env = agent === undefined ? {} : { SSH_AUTH_SOCK: agent }
    await run('ssh-keygen', ['-Y', 'sign', '-q', '-f', key, '-n', namespace, file], { env, signal })
    return await readFile(`${file}.sig`, 'utf8')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
