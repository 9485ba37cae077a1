import { join } from 'node:path'
import type { Context } from '../context.ts'
import { SnapError, oneLine } from '../errors.ts'
import type { Command } from '../exec.ts'
import { run } from '../exec.ts'
import { withInside } from '../inside.ts'
import { readMounts } from '../store/mounts.ts'
import type { BootDeployment, Loader } from './loader.ts'

/** What the original's own script does by hand, but for its order: there the default changed first. */
const contents: readonly Command[] = [
  ['zypper', '--non-interactive', 'install', '--force', 'grub2'],
  ['dracut', '--force', '--regenerate-all'],
  ['grub2-mkconfig', '-o', '/boot/grub2/grub.cfg'],
]

/**
 * Writes to the disk that all deployments boot from, so it is no part of staging: from then on the loader's program
 * and what the default subvolume has of it are of one version again only when the default changes.
 */
const installation: readonly Command[] = [['pbl', '--install']]

const stepTimeoutMs = 30 * 60_000
const probeTimeoutMs = 120_000

/**
 * GRUB with its files in the deployment, as openSUSE has it: the default subvolume decides, so the commit point is
 * the change of the default, and there are no entries. GRUB cannot write to btrfs, so nothing counts tries.
 */
export function openTukitGrub2(context: Pick<Context, 'signal' | 'log'>, sysroot: string): Loader {
  const act = async (deployment: BootDeployment, steps: readonly Command[]): Promise<void> => {
    if (await tukitKnows(context, sysroot, deployment)) return byTukit(context, deployment, steps)
    return byCall(context, sysroot, { deployment, steps })
  }
  return {
    kind: 'tukit-grub2',
    commitPoint: 'default',
    guard: async () => 'uncounted',
    stage: async (deployment) => act(deployment, contents),
    activate: async (deployment) => act(deployment, installation),
    markBad: async () => {},
    bless: async () => {},
    keepOnly: async () => 0,
    entries: async () => [],
    repair: async () => [],
  }
}

/**
 * tukit has no way to ask which backends it was built with, and takes snapper where both are there: whether it can
 * run a command in this very deployment is shown only by one. It works on the running system alone.
 */
async function tukitKnows(
  context: Pick<Context, 'signal' | 'log'>,
  sysroot: string,
  { id }: BootDeployment,
): Promise<boolean> {
  if (sysroot !== '/') return false
  try {
    const attempt = `ask tukit for ${id}`
    await run(['tukit', 'call', id, 'true'], { signal: context.signal, attempt, timeoutMs: probeTimeoutMs })
    return true
  } catch (error) {
    if (error instanceof SnapError && error.code === 'interrupted') throw error
    context.log(`without tukit: ${oneLine(error)}`)
    return false
  }
}

async function byTukit(
  { signal }: Pick<Context, 'signal'>,
  { id }: BootDeployment,
  steps: readonly Command[],
): Promise<void> {
  for (const step of steps) {
    const attempt = attemptOf(step, id)
    await run(['tukit', 'call', id, ...step], { signal, attempt, timeoutMs: stepTimeoutMs })
  }
}

async function byCall(
  context: Pick<Context, 'signal'>,
  sysroot: string,
  { deployment, steps }: { deployment: BootDeployment; steps: readonly Command[] },
): Promise<void> {
  const binds = await bootMounts(sysroot)
  await withInside(context, { root: deployment.root, binds }, async (inside) => {
    for (const step of steps) {
      await inside.run(step, { attempt: attemptOf(step, deployment.id), timeoutMs: stepTimeoutMs })
    }
  })
}

function attemptOf([program, ...args]: Command, id: string): string {
  return `run ${[program, ...args].join(' ')} in ${id}`
}

/** The ESP, and whatever else of the loader is mounted. */
async function bootMounts(sysroot: string): Promise<{ source: string; path: string }[]> {
  const places = ['/boot', '/efi'].map((path) => ({ path, source: join(sysroot, path) }))
  const mounts = (await readMounts()).map((mount) => mount.mountPoint)
  return mounts.flatMap((source) => {
    const place = places.find((one) => source === one.source || source.startsWith(`${one.source}/`))
    return place === undefined ? [] : [{ source, path: `${place.path}${source.slice(place.source.length)}` }]
  })
}
