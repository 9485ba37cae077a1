import { SnapError } from '../errors.ts'
import type { GrubEntry } from './grub-entry.ts'
import { triesName } from './grub-env.ts'

/** Set by the hook in custom.cfg: device and folder, as `(hd0,gpt2)`. */
export const bootVariable = 'bootfleet_boot'
const choice = 'bootfleet_choice'

/** Of GRUB's menu, and what `status` shows. */
export function menuId({ activation }: Pick<GrubEntry, 'activation'>): string {
  return `bootfleet-${activation}`
}

/**
 * What GRUB does with the entries, as lines of its script. It knows no arithmetic, so tries are counted down by
 * comparing texts, and no variable named by a variable, so each entry has code of its own.
 */
export function renderScript(entries: readonly GrubEntry[]): string[] {
  const shown = inOrder(entries)
  if (shown.length === 0) return []
  const proven = shown.filter(({ kind }) => kind === 'good')
  return [
    ...shown.flatMap(loadFunction),
    ...shown.flatMap((entry) => menuEntry(entry, proven)),
    ...chooseDefault(shown),
  ]
}

/** The last activated first; what is bad comes after all others. */
function inOrder(entries: readonly GrubEntry[]): GrubEntry[] {
  const last = ({ kind }: GrubEntry): number => (kind === 'bad' ? 1 : 0)
  return entries
    .filter(({ kind }) => kind !== 'staged')
    .toSorted((a, b) => last(a) - last(b) || b.activation - a.activation)
}

/**
 * A kernel that was loaded stays the only one of this start: GRUB 2.06 takes the command line of a second one away as
 * it unloads the first (seen in the memory of a machine with a BIOS; on UEFI the second does not come up either). So
 * what can be seen beforehand is, and where an initrd then cannot be loaded all the same, the machine starts again,
 * which on trial costs the next try.
 */
function loadFunction(entry: GrubEntry): string[] {
  const counted = entry.kind === 'trial' && entry.tries !== null
  const left = counted ? [`bootfleet.tries_left=$${triesName(entry.activation)}`] : []
  const words = [...kernelWords(entry.options).map(quoted), ...left].join(' ')
  return [
    '',
    `function bootfleet_load_${entry.activation} {`,
    ...(entry.kind === 'trial' && entry.tries !== null ? countDown(entry.activation, entry.tries) : []),
    `  if [ -s "$${bootVariable}${entry.linux}" -a -s "$${bootVariable}${entry.initrd}" ]; then true; else return 1; fi`,
    `  if linux "$${bootVariable}${entry.linux}" ${words}; then true; else return 1; fi`,
    `  if initrd "$${bootVariable}${entry.initrd}"; then true; else`,
    '    echo "bootfleet: the initrd cannot be loaded; starting again"',
    '    sleep 5',
    '    reboot',
    '    return 1',
    '  fi',
    '}',
  ]
}

/** What is at 0 boots without a count: only a person chooses it then. What cannot be counted is not booted. */
function countDown(activation: number, tries: number): string[] {
  const name = triesName(activation)
  const steps = Array.from({ length: tries }, (_step, index) => tries - index)
  const save = `if save_env --file "$${bootVariable}/bootfleet/env" ${name}; then true; else return 1; fi`
  return [
    ...readTries([activation], '  '),
    ...steps.flatMap((left, index) => [
      `  ${index === 0 ? 'if' : 'elif'} [ "$${name}" = "${left}" ]; then`,
      `    set ${name}=${left - 1}`,
      `    ${save}`,
    ]),
    '  fi',
  ]
}

/** A variable that the block has not must not keep an older value. */
function readTries(activations: readonly number[], indent: string): string[] {
  const names = activations.map(triesName)
  return [
    ...names.map((name) => `${indent}set ${name}=`),
    `${indent}load_env --file "$${bootVariable}/bootfleet/env" ${names.join(' ')}`,
  ]
}

/** Where kernel or count fail, what is proven boots at once: GRUB would wait at its menu for a key. */
function menuEntry(entry: GrubEntry, proven: readonly GrubEntry[]): string[] {
  const others = proven.filter((one) => one !== entry)
  const classes = '--class bootfleet --class gnu-linux --class os'
  const title = quoted(`${entry.title}, bootfleet ${entry.activation}`)
  return [
    '',
    `menuentry ${title} ${classes} --unrestricted --id ${menuId(entry)} {`,
    `  if bootfleet_load_${entry.activation}; then true`,
    ...others.map((one) => `  elif bootfleet_load_${one.activation}; then true`),
    '  else false; fi',
    '}',
  ]
}

/**
 * Stands last, so that a torn file chooses nothing: then, and where nothing of ours may be chosen, the machine's own
 * default boots. A choice that somebody made for one boot (grub-reboot) is kept to. A menu that waits for ever would
 * not fall back.
 */
function chooseDefault(shown: readonly GrubEntry[]): string[] {
  const counted = shown.filter((one) => one.kind === 'trial' && one.tries !== null)
  const reading =
    counted.length === 0
      ? []
      : readTries(
          counted.map(({ activation }) => activation),
          '',
        )
  return [
    '',
    ...reading,
    `set ${choice}=`,
    ...shown
      .filter(({ kind }) => kind !== 'bad')
      .toReversed()
      .map(candidate),
    `if [ -n "$${choice}" -a "$boot_once" != "true" ]; then`,
    `  set default="$${choice}"`,
    '  if [ -z "$fallback" ]; then set fallback=0; fi',
    '  if [ -z "$timeout" -o "$timeout" = "-1" ]; then set timeout=5; fi',
    'fi',
  ]
}

/** The later one wins, so the last activated comes last. */
function candidate(entry: GrubEntry): string {
  const chosen = `set ${choice}=${menuId(entry)}`
  if (entry.kind !== 'trial' || entry.tries === null) return chosen
  const name = triesName(entry.activation)
  const tests = Array.from({ length: entry.tries }, (_one, index) => `"$${name}" = "${index + 1}"`)
  return `if [ ${tests.join(' -o ')} ]; then ${chosen}; fi`
}

/**
 * The words of a kernel's line, without the quotes that hold blanks together: GRUB puts them around each word that
 * has one. A backslash or a single quote it would change.
 */
export function kernelWords(options: string): string[] {
  if (/['\\]/.test(options) || options.split('"').length % 2 === 0) {
    throw new SnapError(
      'refused',
      `write the entry for GRUB: ${options}: GRUB cannot pass on a backslash, a single quote or a double quote ` +
        'that does not end; change the kernel argument in the image or in machine.json',
    )
  }
  return (options.match(/(?:[^ "]|"[^"]*")+/g) ?? []).map((word) => word.replaceAll('"', ''))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
