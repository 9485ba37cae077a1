import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pullSource } from '../commands/pull.ts'
import type { Context } from '../context.ts'
import { run } from '../exec.ts'
import { saysNoSpace, SnapError } from '../errors.ts'
import type { Acquired } from '../store/acquire.ts'
import { machineArchitecture } from '../store/manifest.ts'
import { prepareStore, storePaths } from '../store/paths.ts'
import { parseImageSource } from '../store/references.ts'
import { fillPersistent, writeMachineFiles } from './contents.ts'
import { writeEsp } from './esp.ts'
import { withRootFileSystem } from './filesystem.ts'
import { installFirst } from './first-deployment.ts'
import type { Geometry } from './geometry.ts'
import { partitionTable, planDisk, sizeText } from './geometry.ts'
import type { Material, MaterialOptions } from './material.ts'
import { placeMaterial, readMaterial } from './material.ts'
import type { Target, TargetOptions } from './target.ts'
import { discardDisk, inspectTarget, openDisk, publishDisk } from './target.ts'
import type { Tools } from './tools.ts'
import { findTools, toolNames } from './tools.ts'

export type InstallOptions = TargetOptions &
  MaterialOptions & {
    image: string
    espBytes: number
    kernelArguments: readonly string[]
    progress: boolean
    stallMs: number
  }

export type Installed = {
  disk: string
  format: string
  diskBytes: number
  deployment: string
  imageId: string
  digest: string
  manifestDigest: string
  espUuid: string
  rootUuid: string
}

/**
 * Nothing is changed before all that can be checked is checked. The partition table is written last and a file gets
 * its name after that, so what a failure leaves cannot be taken for a disk to boot from.
 */
export async function installToDisk(context: Context, options: InstallOptions): Promise<Installed> {
  const source = parseImageSource(options.image)
  const material = await readMaterial(options)
  const tools = await findTools({
    attempt: 'install to a disk',
    needed: toolNames.filter((name) => name !== 'qemu-img' || options.format !== 'raw'),
  })
  const target = await inspectTarget(context, tools, options)
  const geometry = planDisk(target.diskBytes, options.espBytes)
  const work = await mkdtemp(join(tmpdir(), 'container-snap-install-'))
  try {
    const job = { tools, target, geometry, material, work }
    const acquire = async (inside: Context): Promise<Acquired> =>
      pullSource(inside, source, { progress: options.progress, quiet: true, stallMs: options.stallMs })
    const { image, kernelArguments } = options
    return await buildDisk(context, job, { image, acquire, kernelArguments })
  } catch (error) {
    await discardDisk(target)
    // Ctrl-C reaches the tools too, and what a tool says of its end is not what the user did.
    if (context.signal.aborted)
      throw new SnapError('interrupted', `install to ${target.path}: interrupted by a signal`, {
        cause: error,
      })
    throw error instanceof Error && saysNoSpace(error.message) ? tooSmall(target, error) : error
  } finally {
    await rm(work, { recursive: true, force: true }).catch((error: Error) => context.log(error.message))
  }
}

function tooSmall(target: Target, cause: Error): SnapError {
  const found = `the image does not fit on a disk of ${sizeText(target.diskBytes)}`
  return new SnapError('no-space', `install to ${target.path}: ${found}; take a bigger one`, { cause })
}

type Job = { tools: Tools; target: Target; geometry: Geometry; material: Material; work: string }

type System = {
  image: string
  acquire: (inside: Context) => Promise<Acquired>
  kernelArguments: readonly string[]
}

async function buildDisk(context: Context, job: Job, system: System): Promise<Installed> {
  const { tools, target, geometry, work } = job
  const mountPoint = join(work, 'root')
  const esp = join(work, 'esp')
  await mkdir(mountPoint)
  await mkdir(esp)
  context.log(`making file systems on ${target.path}`)
  const disk = await openDisk(context, tools, target)
  const rootDisk = { disk, geometry, mountPoint }
  const installed = await withRootFileSystem(context, tools, rootDisk, async () =>
    fillRoot({ ...context, paths: storePaths(mountPoint) }, job, { ...system, esp }),
  )
  context.log('writing the EFI system partition and the partition table')
  await writeEsp(context, tools, { disk, partition: geometry.esp, folder: esp })
  await run([tools.sfdisk, '--quiet', '--wipe', 'never', '--wipe-partitions', 'never', disk], {
    signal: context.signal,
    attempt: `write the partition table of ${target.path}`,
    input: partitionTable(geometry, machineArchitecture()),
  })
  await publishDisk(context, tools, target)
  return installed
}

/** `context` is of the machine to be: its root's top level is mounted, with `@var` at var. */
async function fillRoot(context: Context, job: Job, system: System & { esp: string }): Promise<Installed> {
  const { target, geometry, material } = job
  const { sysroot } = context.paths
  await prepareStore(context.paths)
  context.log(`fetching ${system.image}`)
  const acquired = await system.acquire(context)
  const deployment = await installFirst(context, acquired.imageId, {
    esp: system.esp,
    rootUuid: geometry.fileSystemUuid,
    kernelArguments: system.kernelArguments,
    prepare: async (root) => {
      context.log('filling the machine')
      const mounted = await fillPersistent(context, root, sysroot)
      await writeMachineFiles(root, geometry, mounted)
      const places = { root, var: join(sysroot, 'var'), rootHome: join(sysroot, '@root') }
      await placeMaterial(places, material)
    },
  })
  const { imageId, digest, manifestDigest } = acquired
  return {
    disk: target.path,
    format: target.kind === 'file' ? target.format : 'raw',
    diskBytes: target.diskBytes,
    deployment,
    imageId,
    digest,
    manifestDigest,
    espUuid: geometry.esp.uuid,
    rootUuid: geometry.fileSystemUuid,
  }
}
