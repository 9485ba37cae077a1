/** The user databases, which programs of the host and of the image add lines to. */
export const databases = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'] as const
export type Database = (typeof databases)[number]

/** Whole files, one character a byte. Never to be logged: they hold password hashes. */
export type Texts = { base: string; local: string; next: string }

export type MergedAccounts = {
  texts: ReadonlyMap<Database, string>
  /** Names only: `passwd: alice`. */
  conflicts: readonly string[]
  /** Lines of the host that went into the new files. */
  carried: number
}

/** Users and groups that the image has elsewhere (`/usr/lib/passwd`); their shadow lines are no orphans. */
export type KnownNames = { users: ReadonlySet<string>; groups: ReadonlySet<string> }

type Lines = ReadonlyMap<string, string>

export function mergeAccounts(texts: ReadonlyMap<Database, Texts>, known: KnownNames): MergedAccounts {
  const merged = new Map<Database, Lines>()
  const conflicts = new Set<string>()
  let carried = 0
  for (const [database, { base, local, next }] of texts) {
    const three = { base: linesOf(base), local: linesOf(local), next: linesOf(next) }
    const result = mergeLines(database, three)
    merged.set(database, result.lines)
    carried += result.carried
    for (const name of result.conflicts) conflicts.add(`${database}: ${name}`)
    for (const text of idConflicts(database, three, result.lines)) conflicts.add(`${database}: ${text}`)
  }
  for (const [shadow, owner, names] of [
    ['shadow', 'passwd', known.users],
    ['gshadow', 'group', known.groups],
  ] as const) {
    const owners = merged.get(owner)
    const lines = merged.get(shadow)
    if (owners !== undefined && lines !== undefined)
      merged.set(
        shadow,
        withoutOrphans(lines, (name) => owners.has(name) || names.has(name)),
      )
  }
  const entries = [...merged].map(([name, lines]) => [name, textOf(lines, texts.get(name)?.next)] as const)
  return { texts: new Map(entries), conflicts: [...conflicts].toSorted(), carried }
}

/** By name. A name with several lines (subuid) is one value; a line that has no name stands for itself. */
export function linesOf(text: string): Map<string, string> {
  const lines = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const name = line.startsWith('#') || !line.includes(':') ? line : line.slice(0, line.indexOf(':'))
    const former = lines.get(name)
    lines.set(name, former === undefined || former === line ? line : `${former}\n${line}`)
  }
  return lines
}

/** The image's own bytes where nothing came of it but what it had: blank lines and order are its affair. */
function textOf(lines: Lines, next = ''): string {
  const nextLines = linesOf(next)
  const isNext =
    lines.size === nextLines.size && [...lines].every(([name, line]) => nextLines.get(name) === line)
  return isNext ? next : [...lines.values()].map((line) => `${line}\n`).join('')
}

type Three = { base: Lines; local: Lines; next: Lines }

/** The image's order, then what only the host has in the host's order. */
function mergeLines(
  database: Database,
  { base, local, next }: Three,
): { lines: Lines; conflicts: string[]; carried: number } {
  const lines = new Map<string, string>()
  const conflicts: string[] = []
  let carried = 0
  for (const name of new Set([...next.keys(), ...local.keys(), ...base.keys()])) {
    const [was, here, there] = [base.get(name), local.get(name), next.get(name)]
    const isHosts = here !== was
    if (isHosts) carried += 1
    const line = isHosts ? here : there
    if (line !== undefined) lines.set(name, line)
    if (isHosts && here !== there && meaning(database, was) !== meaning(database, there)) conflicts.push(name)
  }
  return { lines, conflicts, carried }
}

/** The day a password was last set is the day the image was built: no change that anyone meant. */
function meaning(database: Database, line: string | undefined): string | undefined {
  if (database !== 'shadow') return line
  return line
    ?.split(':')
    .filter((_field, index) => index !== 2)
    .join(':')
}

function idOf(database: Database, line: string | undefined): string | undefined {
  return database === 'passwd' || database === 'group' ? line?.split(':')[2] : undefined
}

/** Files are owned by numbers: a number that moved, or that two names share from now on, must not go unseen. */
function idConflicts(database: Database, { local, next }: Three, merged: Lines): string[] {
  const word = database === 'passwd' ? 'uid' : 'gid'
  const found: string[] = []
  const holders = new Map<string, string>()
  for (const [name, line] of merged) {
    const [here, there] = [idOf(database, local.get(name)), idOf(database, next.get(name))]
    if (here !== undefined && there !== undefined && here !== there)
      found.push(`${name} has ${word} ${here} on the host and ${there} in the image`)
    const id = idOf(database, line)
    if (id === undefined || id === '') continue
    const other = holders.get(id)
    holders.set(id, other ?? name)
    if (other === undefined) continue
    const isOld = [local, next].some((side) => side.has(other) && side.has(name))
    if (!isOld) found.push(`${other} and ${name} both have ${word} ${id}`)
  }
  return found
}

/** systemd-sysusers stops at a line for a user or group that does not exist, and then makes no one at all. */
function withoutOrphans(lines: Lines, isKnown: (name: string) => boolean): Lines {
  return new Map(
    [...lines].filter(([name, line]) => /^[+\-#]/.test(name) || !line.includes(':') || isKnown(name)),
  )
}
