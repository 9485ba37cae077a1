import { jsonSchema } from '../../controller/desired-state/json-schema.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

export function runSchema({ terminal }: Session): ExitStatus {
  terminal.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
  return exitStatus.done
}
