import { readFile, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'

/** What systemd-boot would start: Boot Loader Specification type 1, boot counting as in systemd 257. */
export type Choice = { file: string; subvolume: string; linux: string; initrd: string }

type Candidate = Choice & { version: number; id: string; left: number | null; done: number }

const counted = /^(.*?)\+(\d+)(?:-(\d+))?\.conf$/

async function readCandidate(directory: string, file: string): Promise<Candidate | null> {
  const text = await readFile(join(directory, file), 'utf8')
  const field = (key: string): string => new RegExp(`^${key}\\s+(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
  const subvolume = /rootflags=subvol=(\S+)/.exec(field('options'))?.[1]
  // The loader skips an entry without a kernel.
  if (field('linux') === '' || subvolume === undefined) return null
  const [, id, left, done] = counted.exec(file) ?? []
  return {
    file,
    subvolume,
    linux: field('linux'),
    initrd: field('initrd'),
    version: Number(field('version')),
    id: id ?? file.replace(/\.conf$/, ''),
    left: left === undefined ? null : Number(left),
    done: Number(done ?? 0),
  }
}

/**
 * Choose the entry and count the try, as the loader does before it starts the kernel.
 * @throws Error where there is nothing to start.
 */
export async function chooseEntry(esp: string): Promise<Choice> {
  const directory = join(esp, 'loader/entries')
  const files = (await readdir(directory)).filter((file) => file.endsWith('.conf'))
  const candidates = (await Promise.all(files.map((file) => readCandidate(directory, file)))).filter(
    (one) => one !== null,
  )
  const [best] = candidates.toSorted(
    (a, b) =>
      Number(a.left === 0) - Number(b.left === 0) || b.version - a.version || b.id.localeCompare(a.id),
  )
  if (best === undefined) throw new Error(`${directory}: nothing to boot: ${files.join(' ')}`)
  if (best.left === null || best.left === 0) return best
  const file = `${best.id}+${best.left - 1}-${best.done + 1}.conf`
  await rename(join(directory, best.file), join(directory, file))
  return { ...best, file }
}
