import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'

/** What GRUB's script would start: null where it leaves the choice to the machine's own entries. */
export type GrubBoot = { menuId: string; linux: string; options: string } | null

/**
 * Runs the script that the loader wrote, by bash: what it uses of GRUB's language differs from bash's in `set` and
 * `menuentry` alone. The block of tries is read and written by GRUB's own grub-editenv. test/vm/full/grub.test.ts boots
 * GRUB itself with the same files.
 */
export async function bootByGrub(bootDirectory: string): Promise<GrubBoot> {
  const text = await readFile(join(bootDirectory, 'bootfleet/entries.cfg'), 'utf8').catch(() => null)
  if (text === null) return null
  const scratch = await mkdtemp(join(tmpdir(), 'container-snap-grub-'))
  try {
    const file = join(scratch, 'script')
    await writeFile(file, `${commands}\n${asBash(text)}\n${start}`)
    const env = { bootfleet_boot: bootDirectory, default: 'own', LC_ALL: 'C.UTF-8' }
    const { stdout } = await execa('bash', [file], { env, reject: false, timeout: 60_000 })
    const [menuId = 'own', linux = '', ...words] = stdout.split('\n').at(-1)?.split('\t') ?? []
    return menuId === 'own' || linux === '' ? null : { menuId, linux, options: words.join(' ') }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A torn script ends where it is torn: GRUB does what stands before. */
function asBash(text: string): string {
  return text
    .replaceAll(/^menuentry .* --id (bootfleet-\d+) \{$/gm, 'function $1 {')
    .replaceAll(/(^|then |else )( *)set (\w+)=/gm, '$1$2$3=')
}

const commands = `
load_env() {
  local file=$2 name; shift 2
  local list; list=$(grub-editenv "$file" list 2>/dev/null) || return 1
  for name in "$@"; do
    case $'\\n'"$list" in *$'\\n'"$name="*) printf -v "$name" %s "$(sed -n "s/^$name=//p" <<<"$list")" ;; esac
  done
}
save_env() { [ -e "$2" ] && grub-editenv "$2" set "$3=\${!3}"; }
# The line of a second kernel is lost, as with GRUB 2.06.
linux() { [ -s "$1" ] || return 1; if [ -n "$loaded" ]; then loaded="$1"; loaded_words=; return; fi; loaded="$1"; shift; loaded_words="$*"; }
initrd() { [ -s "$1" ] && [ "$(head -c 7 "$1")" != "rubbish" ]; }
echo() { :; }
sleep() { :; }
reboot() { exec bash "$0"; }
`

const start = `
"$default" && printf '%s\\t%s\\t%s' "$default" "$loaded" "$loaded_words"
`
