import { bootRules } from './boot-rules.ts'
import { contentRules } from './content-rules.ts'
import { identityRules } from './identity-rules.ts'
import { requirements } from './requirements.ts'
import type { Finding, Profile, Rule } from './rule.ts'
import { serviceRules } from './service-rules.ts'
import type { Tree } from './tree.ts'

export const rules: readonly Rule[] = [
  ...requirements,
  ...bootRules,
  ...identityRules,
  ...contentRules,
  ...serviceRules,
]

export async function findingsIn(tree: Tree, profile: Profile): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const rule of rules) {
    const severity = rule.severity[profile]
    if (severity === undefined) continue
    const messages = await rule.check(tree, profile)
    findings.push(...messages.map((message) => ({ rule: rule.id, severity, message })))
  }
  return findings
}
