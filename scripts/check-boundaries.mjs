// Run dependency-cruiser and refuse a run that saw too few modules: a resolver that finds nothing also finds
// no violation.
import { cruise } from 'dependency-cruiser'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'

const options = createRequire(import.meta.url)('../.dependency-cruiser.cjs')
const roots = ['proto', 'trust', 'controller', 'agent', 'cli', 'test']
const expected = roots
  .flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => `${root}/${file}`),
  )
  .filter((file) => file.endsWith('.ts'))

const { output } = await cruise(roots, { ...options.options, ruleSet: options, validate: true }, {}, {})
const modules = new Map(output.modules.map((module) => [module.source, module]))
const unseen = expected.filter((file) => !modules.has(file))
const withImports = expected.filter((file) => (modules.get(file)?.dependencies.length ?? 0) > 0)

for (const { from, to, rule } of output.summary.violations) console.error(`${rule.name}: ${from} → ${to}`)
console.log(
  `boundaries: ${expected.length - unseen.length} of ${expected.length} modules read, ` +
    `${output.summary.totalDependenciesCruised} imports, ${output.summary.violations.length} violations`,
)
if (unseen.length > 0) console.error(`not read: ${unseen.slice(0, 10).join(', ')}`)
if (withImports.length < expected.length / 2)
  console.error('fewer than half of the modules import anything: the resolver is broken')
process.exitCode =
  output.summary.violations.length + unseen.length > 0 || withImports.length < expected.length / 2 ? 1 : 0
