import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runBootfleet } from './command-line.ts'
import type { Ran } from './command-line.ts'
import type { GrpcWorld } from './grpc-world.ts'
import type { SmallFleet } from './small-fleet.ts'

const identityFiles = { ca: 'ca.pem', certificate: 'operator.pem', key: 'operator.key' }

/** Writes what `bootfleet --context` reads, for the operator whose files are in `identity`; resolves with its path. */
export async function operatorContext(world: SmallFleet, identity = 'operator'): Promise<string> {
  const { address, pkiDir } = world.controller
  const paths = Object.entries(identityFiles).map(([field, file]) => [
    field,
    join(pkiDir, '..', identity, file),
  ])
  const context = join(world.dir, `context-of-${identity}.json`)
  await writeFile(context, JSON.stringify({ address, ...Object.fromEntries(paths) }))
  return context
}

/** The same for kim of a gRPC server alone, in a folder that the caller made. */
export async function contextOfServer(world: GrpcWorld, dir: string): Promise<string> {
  await writeFile(join(dir, identityFiles.ca), world.authority.certificatePem)
  await writeFile(join(dir, identityFiles.certificate), world.operator.certificatePem)
  await writeFile(join(dir, identityFiles.key), world.operator.keyPem)
  const context = join(dir, 'context.json')
  await writeFile(context, JSON.stringify({ address: world.address, ...identityFiles }))
  return context
}

/** `bootfleet` in this process, as an admin of that fleet. */
export async function operatorOf(world: SmallFleet): Promise<(...args: readonly string[]) => Promise<Ran>> {
  const context = await operatorContext(world)
  return (...args) => runBootfleet(['--context', context, ...args])
}
