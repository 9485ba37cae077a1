const SECRET = /password|passwd|secret|key/i
/** A layout of keys is none. */
const LAYOUT = /keymap|keyboard/gi
/** Its `@` is before an address in memory. */
const MEMORY = 'crashkernel'

/**
 * A kernel argument as it may be shown to whoever may see the machine: without the value of what has a secret by its
 * name, and without who logs in where by which word. The machine itself boots with the whole one.
 */
export function shownArgument(argument: string): string {
  const at = argument.indexOf('=')
  if (at === -1) return argument
  const [name, value] = [argument.slice(0, at), argument.slice(at + 1)]
  if (SECRET.test(name.replaceAll(LAYOUT, ''))) return `${name}=…`
  return name === MEMORY ? argument : `${name}=${withoutLogin(value)}`
}

/** As `iscsi:USER:SECRET@HOST` or `nfs://USER:SECRET@HOST` has it; a secret may have an `@` of its own. */
function withoutLogin(value: string): string {
  const end = value.lastIndexOf('@')
  const login = value.slice(0, Math.max(end, 0))
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*:(?:\/\/)?)/i.exec(login) ?? []
  const secret = login.slice(scheme.length)
  return secret.includes(':') ? `${scheme}…${value.slice(end)}` : value
}
