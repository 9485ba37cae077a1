import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Bundle the programs once, so that tests run what users run. */
export function setup(): void {
  execFileSync(process.execPath, ['build.mjs'], { cwd: join(import.meta.dirname, '../..'), stdio: 'inherit' })
}
