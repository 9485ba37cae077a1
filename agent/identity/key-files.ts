import { access } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { removeDurably, writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import { sealWith, unsealWith } from './tpm.ts'
import { readIfThere } from './trust-material.ts'

/** All private keys of a host. */
const KEY_FILES = ['key.pem', 'nats.key'] as const
export type KeyFile = (typeof KEY_FILES)[number]

/** Where a key is kept in plain text and sealed, the plain one counts: a person put it there, or it is the same. */
export type KeyFiles = {
  /**
   * Null where there is none yet.
   * @throws AgentError IdentityInvalid when it is sealed, and not by this machine's TPM.
   */
  readonly read: (file: KeyFile) => Promise<string | null>
  /** Puts a new key in place, sealed from the start where keys are to be. */
  readonly add: (file: KeyFile, text: string) => Promise<void>
}

export type SealedKeyFiles = KeyFiles & {
  /**
   * Brings the keys that are there to what the setting says; cut at any moment, one that can be read is left. While
   * an image is on trial none is sealed, for the image before may have no means to read it; `require` still asks
   * whether it could be.
   * @throws AgentError IdentityInvalid where sealing is required and cannot be done.
   */
  readonly settle: (image: 'proven' | 'on trial') => Promise<void>
}

export type KeySettings = {
  readonly directory: string
  readonly seal: 'auto' | 'never' | 'require'
  readonly tpm: string
  /** Called once, when `auto` has a TPM and it does not seal. */
  readonly warn: (error: AgentError) => void
  readonly signal: AbortSignal
}

export function plainKeyFiles(directory: string): KeyFiles {
  return {
    read: (file) => readIfThere(join(directory, file)),
    add: (file, text) => writeDurably(join(directory, file), text, 0o600),
  }
}

export function openKeyFiles(settings: KeySettings): SealedKeyFiles {
  const { directory, seal } = settings
  const plain = plainKeyFiles(directory)
  const sealed = (file: KeyFile): string => join(directory, `${file}.sealed`)
  const sealing = sealingOf(settings)

  async function read(file: KeyFile): Promise<string | null> {
    const text = await plain.read(file)
    if (text !== null) return text
    const content = await readIfThere(sealed(file))
    // `never` puts the plain one in place before it takes the sealed one away.
    return content === null ? plain.read(file) : unseal(settings, file, content)
  }

  async function putBack(file: KeyFile): Promise<void> {
    if ((await readIfThere(sealed(file))) === null) return
    const text = await read(file)
    if (text !== null) await plain.add(file, text)
    await removeDurably(sealed(file))
  }

  return {
    read,
    async add(file, text) {
      const content = await sealing(file, text)
      if (content === null) await plain.add(file, text)
      else await writeDurably(sealed(file), content, 0o600)
    },
    async settle(image) {
      for (const file of KEY_FILES) {
        if (seal === 'never') {
          await putBack(file)
          continue
        }
        const text = await plain.read(file)
        if (text === null || (image === 'on trial' && seal === 'auto')) continue
        const content = await sealing(file, text)
        if (content === null || image === 'on trial') continue
        await writeDurably(sealed(file), content, 0o600)
        await removeDurably(join(directory, file))
      }
    },
  }
}

/** In words, for people: nothing is unsealed. */
export async function keysOnDisk(directory: string): Promise<string> {
  const { plain, sealed } = await countKeys(directory)
  if (plain > 0) return `in ${sealed > 0 ? 'plain files too' : 'plain files'}, which a copy of the disk holds`
  return sealed > 0 ? "sealed by this machine's TPM" : 'none yet'
}

export type KeysKept = 'sealed' | 'plain'

/** Sealed: nothing of them lies there that a copy of the disk would hold. */
export async function keysKept(directory: string): Promise<KeysKept> {
  const { plain, sealed } = await countKeys(directory)
  return plain === 0 && sealed > 0 ? 'sealed' : 'plain'
}

async function countKeys(directory: string): Promise<{ readonly plain: number; readonly sealed: number }> {
  const [plain, sealed] = await Promise.all([
    filesThere(KEY_FILES.map((file) => join(directory, file))),
    filesThere(KEY_FILES.map((file) => join(directory, `${file}.sealed`))),
  ])
  return { plain, sealed }
}

async function filesThere(paths: readonly string[]): Promise<number> {
  return (await Promise.all(paths.map(isThere))).filter((there) => there).length
}

/** Null where the key is to be kept as it is. */
function sealingOf(settings: KeySettings): (file: KeyFile, text: string) => Promise<string | null> {
  const { directory, seal, tpm, warn, signal } = settings
  let warned = false
  return async (file, text) => {
    // What is no path is no device either, and is taken at its word.
    const present = seal !== 'never' && (!isAbsolute(tpm) || (await isThere(tpm)))
    const attempt = `keeping ${join(directory, file)} sealed`
    try {
      if (present) return await sealWith(settings, nameOf(file), text)
    } catch (error) {
      if (signal.aborted) throw error
      if (seal === 'require') throw required(attempt, messageOf(error), error)
      if (!warned) warn(keptPlain(attempt, error))
      warned = true
      return null
    }
    if (seal === 'require') throw required(attempt, `there is no TPM ${tpm}`)
    return null
  }
}

function keptPlain(attempt: string, cause: unknown): AgentError {
  const advice = 'keys stay in plain files; the image needs systemd-creds and libtss2 for a TPM'
  return new AgentError('IdentityInvalid', `${attempt}: ${messageOf(cause)}; ${advice}`, { cause })
}

function required(attempt: string, found: string, cause?: unknown): AgentError {
  const advice = 'identity.seal is `require`; put a TPM 2.0 and its libraries there, or say `auto`'
  return new AgentError('IdentityInvalid', `${attempt}: ${found}; ${advice}`, { cause })
}

async function unseal(settings: KeySettings, file: KeyFile, content: string): Promise<string> {
  const { directory, signal } = settings
  try {
    return `${(await unsealWith(settings, nameOf(file), content)).trimEnd()}\n`
  } catch (cause) {
    if (signal.aborted) throw cause
    throw new AgentError(
      'IdentityInvalid',
      `reading ${join(directory, file)}.sealed: ${messageOf(cause)}; only the TPM that sealed it can, in an image with systemd-creds and libtss2: where this is another machine or its TPM was cleared, empty ${directory} and enrol the host again`,
      { cause },
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Bound into what is sealed, so that one key cannot stand for another. */
function nameOf(file: KeyFile): string {
  return `bootfleet.${file}`
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
