import { matchesWildcard } from '../../proto/wildcard.ts'

/** Each includes those before it. */
export const ROLES = ['view', 'operate', 'approve', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** Who has a role for which fleets. Nobody has one that is not given. */
export type Binding = {
  /** Names of operators; `*` is everyone who has a certificate of one. */
  readonly who: readonly string[]
  readonly role: Role
  /** Names of fleets, in which `*` stands for any characters; `*` alone is every fleet, and what concerns none. */
  readonly fleets: readonly string[]
}

/** `fleet` null: for every fleet there is or will be, and for what concerns no single one. */
export function hasRole(
  bindings: readonly Binding[],
  who: string,
  { role, fleet }: { readonly role: Role; readonly fleet: string | null },
): boolean {
  return bindings.some(
    (binding) =>
      ROLES.indexOf(binding.role) >= ROLES.indexOf(role) &&
      concerns(binding, who) &&
      binding.fleets.some((pattern) => (fleet === null ? pattern === '*' : matchesWildcard(pattern, fleet))),
  )
}

/** Whether it has that role for any fleet at all. */
export function hasRoleSomewhere(bindings: readonly Binding[], who: string, role: Role): boolean {
  return bindings.some(
    (binding) => ROLES.indexOf(binding.role) >= ROLES.indexOf(role) && concerns(binding, who),
  )
}

/** The greatest role that it has there; null: none. */
export function greatestRole(bindings: readonly Binding[], who: string, fleet: string | null): Role | null {
  return ROLES.findLast((role) => hasRole(bindings, who, { role, fleet })) ?? null
}

/** What it was given, by name or as one of everybody. */
export function rolesOf(
  bindings: readonly Binding[],
  who: string,
): { readonly role: Role; readonly fleets: string[] }[] {
  const own = bindings.filter((binding) => concerns(binding, who))
  return own.map(({ role, fleets }) => ({ role, fleets: [...fleets] }))
}

function concerns({ who }: Binding, name: string): boolean {
  return who.includes('*') || who.includes(name)
}
