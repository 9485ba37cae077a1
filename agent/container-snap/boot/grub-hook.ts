import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapError } from '../errors.ts'
import { unfinishedSuffix } from './entry-name.ts'
import type { EspDisk } from './esp-disk.ts'
import type { GrubPlace } from './grub-place.ts'
import { bootVariable } from './grub-script.ts'

const begin = '### BEGIN bootfleet ###'
const end = '### END bootfleet ###'

/** How the machine's own GRUB comes to our entries: a block in custom.cfg, which its grub.cfg reads last. */
export type GrubHook = {
  /** The folder of grub.cfg. */
  directory: string
  place: GrubPlace
  /** Of the file system that has our entries. */
  uuid: string
  disk: EspDisk
}

/** @throws SnapError refused where nothing would read the hook. */
export async function requireHookRead(directory: string): Promise<void> {
  const file = join(directory, 'grub.cfg')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SnapError(
      'refused',
      `enter into GRUB: ${file}: ${error.message}; name the folder of GRUB's grub.cfg in machine.json, loader.config`,
      { cause: error },
    )
  })
  if (/^[ \t]*(?:source|\.|configfile)[ \t]+\S*custom\.cfg/m.test(text)) return
  throw new SnapError(
    'refused',
    `enter into GRUB: ${file} does not read custom.cfg; make /etc/grub.d/41_custom executable and write ${file} ` +
      `anew: update-grub, or grub2-mkconfig -o ${file}`,
  )
}

/** What others wrote into custom.cfg stays. Returns whether there was something to do. */
export async function writeHook(hook: GrubHook): Promise<boolean> {
  const file = join(hook.directory, 'custom.cfg')
  const there = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new SnapError('storage-failed', `read ${file}: ${error.message}`, { cause: error })
  })
  const wanted = withBlock(there, renderHook(hook))
  if (wanted === there) return false
  await hook.disk.write(`${file}${unfinishedSuffix}`, wanted)
  await hook.disk.rename(`${file}${unfinishedSuffix}`, file)
  await hook.disk.sync(hook.directory)
  return true
}

/** Last, so that the default is ours. */
function withBlock(text: string, block: string): string {
  const own = new RegExp(`(^|\n)${begin}\n(?:.*\n)*?${end}\n`)
  const others = text.replace(own, '$1')
  const separator = others === '' || others.endsWith('\n') ? '' : '\n'
  return `${others}${separator}${block}`
}

function renderHook({ place, uuid }: GrubHook): string {
  const folder = `($bootfleet_device)${place.prefix}`
  return `${begin}
# Written by container-snap. Without this block the machine's own entries boot.
insmod part_gpt
insmod part_msdos
insmod ${place.module}
set bootfleet_device=
search --no-floppy --fs-uuid --set=bootfleet_device ${uuid}
if [ -n "$bootfleet_device" -a -f "${folder}/bootfleet/entries.cfg" ]; then
  set ${bootVariable}="${folder}"
  source "$${bootVariable}/bootfleet/entries.cfg"
fi
${end}
`
}
