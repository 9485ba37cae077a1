import { isFile } from './programs.ts'
import type { Rule } from './rule.ts'
import { warningEverywhere } from './rule.ts'
import type { Tree } from './tree.ts'
import { enabledUnits, hasUnit } from './units.ts'

const updaters = [
  'bootc-fetch-apply-updates.timer',
  'dnf-automatic.timer',
  'dnf-automatic-install.timer',
  'dnf5-automatic.timer',
  'os-update.timer',
  'rpm-ostreed-automatic.timer',
  'transactional-update.timer',
  'unattended-upgrades.service',
] as const

const ownUnits = ['container-snap-readonly.service', 'container-snap-repair.service'] as const
/** systemd brings its own where systemd-boot counts. */
const grubUnits = [...ownUnits, 'container-snap-bless.service'] as const
const agentProgram = 'usr/bin/bootfleet-agent'
const agentUnits = ['bootfleet-agent.service', 'bootfleet-health.service'] as const

/** Who acts on the running machine. */
export const serviceRules: readonly Rule[] = [
  {
    id: 'competing-updaters',
    severity: warningEverywhere,
    description: 'no other updater is enabled',
    check: async (tree) => {
      const enabled = await enabledUnits(tree)
      const found = updaters.filter((unit) => enabled.has(unit))
      if (found.length === 0) return []
      return [
        `${found.join(', ')} is enabled and would change the host beside its plan; systemctl mask it in the image`,
      ]
    },
  },
  {
    id: 'container-snap-units',
    severity: { 'systemd-boot': 'warning', grub: 'warning' },
    description:
      'the services that make the root read-only, repair after a fallback and, with GRUB, bless what came up are there and enabled',
    check: async (tree, profile) => {
      const isGrub = profile === 'grub'
      const missing = await unitsOff(tree, await enabledUnits(tree), isGrub ? grubUnits : ownUnits)
      if (missing.length === 0) return []
      const unblessed = isGrub ? ', and what no agent activated falls back although it is healthy' : ''
      return [
        `${missing.join(', ')}; without them the root can be written to, a fallback is noticed only by an agent` +
          `${unblessed}; copy and enable them`,
      ]
    },
  },
  {
    id: 'bootfleet',
    severity: warningEverywhere,
    description: "where bootfleet's agent is in the image at all, it is whole and enabled",
    check: async (tree) => {
      const enabled = await enabledUnits(tree)
      const program = await isFile(tree, agentProgram)
      const present: string[] = []
      for (const unit of agentUnits) if (await hasUnit(tree, unit)) present.push(unit)
      if (!program && present.length === 0) return []
      const missing = [
        ...(program ? [] : [`/${agentProgram} is missing`]),
        ...(await unitsOff(tree, enabled, agentUnits)),
      ]
      if (missing.length === 0) return []
      return [
        `bootfleet: ${missing.join(', ')}; copy all of the agent's files and systemctl enable its units, or the machine stays out of its fleet`,
      ]
    },
  },
]

async function unitsOff(
  tree: Tree,
  enabled: ReadonlySet<string>,
  units: readonly string[],
): Promise<string[]> {
  const off: string[] = []
  for (const unit of units) {
    if (!(await hasUnit(tree, unit))) off.push(`${unit} is missing`)
    else if (!enabled.has(unit)) off.push(`${unit} is not enabled`)
  }
  return off
}
