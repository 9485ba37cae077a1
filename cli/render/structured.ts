import { toJson } from '@bufbuild/protobuf'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { stringify } from 'yaml'

/** The wire message as data, nothing left out: a script sees `hostsUpdated: 0` instead of a missing field. */
export function toData<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): unknown {
  return toJson(schema, message, { alwaysEmitImplicit: true })
}

export function renderJson(data: unknown): string {
  return `${JSON.stringify(data, null, 2)}\n`
}

export function renderYaml(data: unknown): string {
  return stringify(data, { lineWidth: 0 })
}
