import type { Tree } from './tree.ts'

export const profiles = ['systemd-boot', 'grub', 'tukit-grub2'] as const
/** How the machines that boot the image start it. */
export type Profile = (typeof profiles)[number]
export type Severity = 'error' | 'warning'

export type Rule = {
  id: string
  /** A profile that is not named has no such rule. */
  severity: Readonly<Partial<Record<Profile, Severity>>>
  description: string
  /** One text per finding: `what was found; what to do`. */
  check: (tree: Tree, profile: Profile) => Promise<readonly string[]>
}

export type Finding = { rule: string; severity: Severity; message: string }

export const errorEverywhere = { 'systemd-boot': 'error', grub: 'error', 'tukit-grub2': 'error' } as const
export const warningEverywhere = {
  'systemd-boot': 'warning',
  grub: 'warning',
  'tukit-grub2': 'warning',
} as const
