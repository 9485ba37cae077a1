import { readFile } from 'node:fs/promises'
import { create } from '@bufbuild/protobuf'
import * as z from 'zod'
import { codeFrame } from '../../controller/desired-state/code-frame.ts'
import { readYaml } from '../../controller/desired-state/document.ts'
import { digestPattern } from '../../controller/desired-state/image-reference.ts'
import { formatFieldPath, formatIssue } from '../../controller/desired-state/issue.ts'
import { GetStatusRequestSchema, ListHostsRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { FleetStatus, HostStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, closeClient, openClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { loadContext } from '../session.ts'
import type { Session } from '../session.ts'
import type { FleetDenial } from './fleet-denial.ts'

/** A host, as far as a rollout is concerned. */
export type InventoryHost = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly architecture: string
  /** Null: nothing is known of what it runs. */
  readonly running: { readonly digest: string; readonly version: string } | null
  /** What it was given for its kernel's line; null: it does not say. */
  readonly kernelArguments: readonly string[] | null
  readonly connected: boolean
  /** Its boot loader counts no tries. */
  readonly unguarded: boolean
}

export type Inventory = {
  readonly hosts: readonly InventoryHost[]
  /** What a fleet of the controller must not be granted; a file knows of none. */
  readonly denials: readonly FleetDenial[]
}

const digest = z.string().regex(digestPattern, 'is not a digest (sha256: and 64 hexadecimal digits)')
const word = z.string().min(1, 'must not be empty').max(253)

const hostSchema = z.strictObject({
  name: word,
  labels: z.record(z.string(), z.string()).default({}),
  architecture: word.default('amd64'),
  running: z
    .strictObject({ digest, version: z.string().default('') })
    .nullable()
    .default(null),
  kernelArguments: z.array(word).default([]),
  connected: z.boolean().default(true),
  unguarded: z.boolean().default(false),
  /** It is in no rollout, and so left out. */
  reportOnly: z.boolean().default(false),
})
const inventorySchema = z.strictObject({
  hosts: z.array(hostSchema).max(100_000),
})

/** From a file, or from the controller of the context; without those that only report, which no rollout has. */
export async function readInventory(session: Session, path: string | undefined): Promise<Inventory> {
  if (path === undefined) return askController(session)
  return { hosts: await readInventoryFile(path), denials: [] }
}

async function readInventoryFile(path: string): Promise<readonly InventoryHost[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CliError('BadUsage', `read the inventory ${path}: ${String(cause)}`, { cause })
  })
  return parseInventory(path, text)
}

/** Errors have a position, as those of a repository have. */
export function parseInventory(path: string, text: string): readonly InventoryHost[] {
  const { documents, positionOf } = readYaml(text)
  const refuse = (offset: number, message: string): never => {
    const { column, line } = positionOf(offset)
    const frame = codeFrame(text, line, column)
    throw new CliError('BadUsage', formatIssue({ path, line, column, message, suggestion: null, frame }))
  }
  const [document] = documents
  if (document === undefined || documents.length > 1) {
    return refuse(0, `an inventory is one YAML document with a list of hosts; found ${documents.length}`)
  }
  if (!document.ok) return refuse(document.flaws[0]?.offset ?? 0, document.flaws[0]?.message ?? 'not YAML')
  const parsed = inventorySchema.safeParse(document.value)
  if (!parsed.success) {
    const { message, path: at } = parsed.error.issues[0] as z.core.$ZodIssue
    const field = at.length === 0 ? '' : `${formatFieldPath(at)}: `
    return refuse(document.offsetOf(at, 'value'), `${field}${message}`)
  }
  const { hosts } = parsed.data
  const again = secondOfItsName(hosts)
  if (again === -1) {
    return hosts.filter(({ reportOnly }) => !reportOnly).map(({ reportOnly: _never, ...host }) => host)
  }
  const name = JSON.stringify(hosts[again]?.name)
  const offset = document.offsetOf(['hosts', again, 'name'], 'value')
  return refuse(offset, `hosts[${again}].name: a host ${name} is there already`)
}

/** -1: every name is there once. */
function secondOfItsName(hosts: readonly InventoryHost[]): number {
  const names = new Set<string>()
  return hosts.findIndex(({ name }) => names.size === names.add(name).size)
}

async function askController(session: Session): Promise<Inventory> {
  const client = await openClient(await loadContext(session))
  try {
    const { hosts } = await call(client, client.service.listHosts, create(ListHostsRequestSchema))
    const { status } = await call(client, client.service.getStatus, create(GetStatusRequestSchema))
    const updated = hosts.filter(({ reportOnly }) => reportOnly === undefined)
    return { hosts: updated.map(inventoryHostOf), denials: (status?.fleets ?? []).flatMap(denialsOf) }
  } finally {
    closeClient(client)
  }
}

/** What git denies there is left out: the files that are looked at say it themselves, or say it no more. */
function denialsOf({ denied, name }: FleetStatus): readonly FleetDenial[] {
  return denied
    .filter(({ origin }) => origin !== 'Git')
    .map(({ actor, deniedAtMs, digest: of, origin, reason }) => {
      return { fleet: name, digest: of, reason, origin, actor, atMs: Number(deniedAtMs) }
    })
}

/** Not by what stands on the kernel's line: an argument that the machine has too is shown there as the machine's. */
export function inventoryHostOf(host: HostStatus): InventoryHost {
  return {
    name: host.name,
    labels: host.labels,
    architecture: host.architecture === '' ? 'amd64' : host.architecture,
    running: host.bootedDigest === '' ? null : { digest: host.bootedDigest, version: host.bootedVersion },
    kernelArguments: host.givenKernelArguments?.arguments ?? null,
    connected: host.connected,
    unguarded: host.unguarded,
  }
}
