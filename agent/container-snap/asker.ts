import { readFile } from 'node:fs/promises'
import { getuid } from 'node:process'

/** Who asks for a change of what boots: the agent, which follows its plans, or a person, by name. */
export type Asker = { by: 'agent' } | { by: 'person'; user: string }

/** What the environment says of it. */
export type AskerSigns = {
  /** `agent` where the agent calls. */
  askedBy: string | undefined
  sudoUser: string | undefined
}

/** Of the audit system, for a process that nobody logged in for. */
const nobody = 4_294_967_295
const userMaxLength = 64

/** Who logged in counts, not who they became. */
export async function askerOf({ askedBy, sudoUser }: AskerSigns): Promise<Asker> {
  if (askedBy === 'agent') return { by: 'agent' }
  const user = sudoUser || (await nameOf(await loginUid()))
  return { by: 'person', user: user.replaceAll(/[^\p{L}\p{N}._@\\+-]/gu, '?').slice(0, userMaxLength) }
}

async function loginUid(): Promise<number> {
  const text = await readFile('/proc/self/loginuid', 'utf8').catch(() => '')
  const uid = text.trim() === '' ? nobody : Number(text)
  return uid === nobody ? (getuid?.() ?? 0) : uid
}

async function nameOf(uid: number): Promise<string> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n')
  const found = lines.map((line) => line.split(':')).find((fields) => fields[2] === String(uid))
  return found?.[0] ?? `uid-${uid}`
}
