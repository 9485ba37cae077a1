import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import type { MadeDeployment } from '../deploy/deployment.ts'
import { makeDeployment } from '../deploy/deployment.ts'
import { etcBaseOf } from '../deploy/etc-base.ts'
import { imageOf } from '../deploy/image-of.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { givenBase, sameDeployment, sourceOf } from '../deploy/source.ts'
import { SnapError } from '../errors.ts'
import { previewEtc } from '../etc/merge.ts'
import { changeStore } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot } from '../store/snapshots.ts'

export type DeployOptions = {
  etcBase: string | undefined
  /** Taken in place of this machine's /etc; with a base only. */
  etc: string | undefined
  kernelArguments: readonly string[]
}

export async function deploy(
  context: Context,
  image: string,
  { etcBase, etc, kernelArguments }: DeployOptions,
): Promise<string> {
  const local = await localFor(context, { etcBase, etc })
  const { record, conflicts } = await changeStore(context, async (view) => {
    const base = await baseFor(view, etcBase)
    const isGiven = etcBase !== undefined
    return deployImage(context, view, imageOf(view, image, 'deploy'), {
      base,
      local,
      isGiven,
      kernelArguments,
    })
  })
  const { id, imageId, digest, manifestDigest } = record
  if (context.json) return jsonLine({ id, imageId, digest, manifestDigest, conflicts })
  for (const path of conflicts) context.warn(`both this machine and the image changed in /etc: ${path}`)
  return `${id}\n`
}

type Deployed = Pick<MadeDeployment, 'record' | 'conflicts'>

/** One that is there already and would come out the same is the answer: an agent may ask again after a crash. */
async function deployImage(
  context: Context,
  view: View,
  image: Snapshot,
  {
    base,
    local,
    isGiven,
    kernelArguments,
  }: { base: string; local: string; isGiven: boolean; kernelArguments: readonly string[] },
): Promise<Deployed> {
  const etc = { base, local }
  const source = `${await sourceOf(context, view, etc)}${isGiven ? givenBase : ''}`
  const there = sameDeployment(view, image, { source, kernelArguments })
  if (there !== null) {
    const { conflicts } = await previewEtc({ ...etc, next: join(image.path, 'etc') }, context)
    return { record: there, conflicts }
  }
  return makeDeployment(context, await loaderOf(context), view, { image, etc, source, kernelArguments })
}

async function localFor(
  context: Context,
  { etcBase, etc }: Pick<DeployOptions, 'etcBase' | 'etc'>,
): Promise<string> {
  if (etc === undefined) return join(context.paths.sysroot, 'etc')
  if (etcBase === undefined)
    throw new SnapError(
      'usage',
      `deploy --etc ${etc}: say with --etc-base what it is a change of; an empty folder puts it over the image's`,
    )
  if (await isDirectory(etc)) return resolve(etc)
  throw new SnapError('not-found', `deploy --etc ${etc}: there is no such folder`)
}

/** Without a base nobody can tell what was changed here from what the old image shipped. */
async function baseFor(view: View, given: string | undefined): Promise<string> {
  if (given !== undefined) {
    if (!(await isDirectory(given))) return join(imageOf(view, given, 'deploy --etc-base').path, 'etc')
    return resolve(given)
  }
  const current = currentSnapshot(view)
  if (current !== null) return etcBaseOf(view, current)
  throw new SnapError(
    'refused',
    `deploy: what runs at ${view.paths.sysroot} is no deployment, so what was changed in its /etc is not known; ` +
      'give --etc-base IMAGE, or DIR with an /etc as it was shipped',
  )
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
