import { writeFileSync } from 'node:fs'
import { jsonSchema } from '../controller/desired-state/json-schema.ts'

writeFileSync('schema/bootfleet.schema.json', `${JSON.stringify(jsonSchema(), null, 2)}\n`)
