/** The files of users and groups. Never to be logged: they hold password hashes. */
export const DATABASES = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'] as const
export type Database = (typeof DATABASES)[number]
export type Texts = Readonly<Record<Database, string>>

const PERSON_MIN = 1_000
/** Beyond are ids that systemd gives out by itself, and nobody. */
const PERSON_MAX = 59_999

export function isPerson(line: string): boolean {
  return isPersonsId(line.split(':')[2])
}

function isPersonsId(id: string | undefined): boolean {
  return id !== undefined && /^\d+$/.test(id) && Number(id) >= PERSON_MIN && Number(id) <= PERSON_MAX
}

/** A name with several lines (subuid) has them all. */
export function linesByName(text: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  for (const line of text.split('\n')) {
    const name = line.slice(0, Math.max(0, line.indexOf(':')))
    if (name === '' || line.startsWith('#')) continue
    const former = lines.get(name)
    lines.set(name, former === undefined ? line : `${former}\n${line}`)
  }
  return lines
}

/**
 * The lines that go into a new system's files: people and their groups, root's password, and people's places in
 * groups that the image has too.
 */
export function carriedAccounts(here: Texts, image: Pick<Texts, 'group' | 'shadow'>): Texts {
  const users = names(here.passwd)
  const groups = names(here.group)
  return {
    passwd: linesOf(here.passwd, (name) => users.has(name)),
    group: `${linesOf(here.group, (name) => groups.has(name))}${memberships(here, image)}`,
    shadow: `${rootsPassword(here, image)}${linesOf(here.shadow, (name) => users.has(name))}`,
    gshadow: linesOf(here.gshadow, (name) => groups.has(name)),
    subuid: linesOf(here.subuid, (name) => users.has(name)),
    subgid: linesOf(here.subgid, (name) => users.has(name)),
  }
}

function names(text: string): ReadonlySet<string> {
  return new Set([...linesByName(text)].filter(([, line]) => isPerson(line)).map(([name]) => name))
}

function linesOf(text: string, isWanted: (name: string) => boolean): string {
  return [...linesByName(text)].map(([name, line]) => (isWanted(name) ? `${line}\n` : '')).join('')
}

/** The image's line with these members added; its number is the image's. */
function memberships(here: Texts, image: Pick<Texts, 'group'>): string {
  const users = names(here.passwd)
  const there = linesByName(image.group)
  return [...linesByName(here.group)]
    .map(([name, line]) => {
      const members = (line.split(':')[3] ?? '').split(',').filter((member) => users.has(member))
      const own = there.get(name)
      if (own === undefined || members.length === 0 || isPerson(line)) return ''
      const [word = '', password = '', gid = '', list = ''] = own.split(':')
      const all = new Set([...list.split(',').filter((member) => member !== ''), ...members])
      return `${[word, password, gid, [...all].join(',')].join(':')}\n`
    })
    .join('')
}

/** All but the password is the image's. */
function rootsPassword(here: Texts, image: Pick<Texts, 'shadow'>): string {
  const password = linesByName(here.shadow).get('root')?.split(':')[1]
  const line = linesByName(image.shadow).get('root') ?? 'root:*:::::::'
  if (password === undefined) return ''
  const [name = '', , ...rest] = line.split(':')
  return `${[name, password, ...rest].join(':')}\n`
}
