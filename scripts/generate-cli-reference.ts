import { writeFileSync } from 'node:fs'
import { cliReference } from '../cli/reference.ts'

const [target = 'docs/cli-reference.md'] = process.argv.slice(2)
writeFileSync(target, cliReference())
