import { readFile, readdir, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseEntryName } from '../boot/entry-name.ts'
import { parseEntry } from '../boot/entry-text.ts'

/** What systemd-boot would start: the first that is not bad, the highest version first. Counts the try as it does. */
export async function chooseSubvolume(esp: string): Promise<string> {
  const folder = join(esp, 'loader/entries')
  const found = []
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.conf'))) {
    const name = parseEntryName(file)
    const text = parseEntry(await readFile(join(folder, file), 'utf8'))
    if (name !== null && text !== null) found.push({ ...name, file, text })
  }
  const [first] = found.toSorted((a, b) => {
    const byVerdict = Number(a.kind === 'bad') - Number(b.kind === 'bad')
    return byVerdict === 0 ? b.text.activation - a.text.activation : byVerdict
  })
  if (first === undefined) throw new Error(`${folder}: nothing to boot`)
  if (first.kind === 'counted') {
    const counted = `${first.base}+${first.triesLeft - 1}-${first.triesDone + 1}.conf`
    await rename(join(folder, first.file), join(folder, counted))
  }
  return basename(/rootflags=subvol=(\S+)/.exec(first.text.options)?.[1] ?? '')
}
