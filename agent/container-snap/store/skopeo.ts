import type { Context } from '../context.ts'
import type { Command } from '../exec.ts'
import { capture, run } from '../exec.ts'
import type { Manifest } from './manifest.ts'
import { parseManifest } from './manifest.ts'
import { SnapError } from '../errors.ts'

const copyTimeoutMs = 2 * 3_600_000
const inspectTimeoutMs = 120_000

/**
 * Two wrappers, both to survive kill -9 of this program. The btrfs driver binds its folder onto itself and
 * leaves that mount behind, which would keep a sysroot from being unmounted: in a mount namespace of its own
 * it ends with the process. And a pull whose container-snap is gone must not write on beside the next one.
 */
export function skopeoCommand(context: Context, args: readonly string[]): Command {
  const registries = context.registriesConf === undefined ? [] : ['--registries-conf', context.registriesConf]
  const namespace = ['--mount', '--propagation', 'slave', '--']
  return ['unshare', ...namespace, 'setpriv', '--pdeathsig', 'KILL', '--', 'skopeo', ...registries, ...args]
}

export function storeReference(context: Context, reference: string): string {
  const { graphRoot, runRoot } = context.paths
  return `containers-storage:[btrfs@${graphRoot}+${runRoot}]${reference}`
}

export async function inspectManifest(context: Context, source: string): Promise<Manifest> {
  const attempt = `read the manifest of ${source}`
  const raw = await capture(skopeoCommand(context, ['inspect', '--raw', '--retry-times', '2', source]), {
    signal: context.signal,
    attempt,
    failure: 'pull-failed',
    timeoutMs: inspectTimeoutMs,
  })
  const manifest = parseManifest(raw)
  if (manifest === null)
    throw new SnapError('pull-failed', `${attempt}: neither an image manifest nor an index`)
  return manifest
}

export type Copy = { source: string; target: string; scratch: string; stallMs: number }

export async function copyIntoStore(context: Context, copy: Copy): Promise<void> {
  const target = storeReference(context, copy.target)
  const args = ['--tmpdir', copy.scratch, 'copy', '--quiet', '--retry-times', '2', copy.source, target]
  await run(skopeoCommand(context, args), {
    signal: context.signal,
    attempt: `pull ${copy.source}`,
    failure: 'pull-failed',
    timeoutMs: copyTimeoutMs,
    stallMs: copy.stallMs,
  })
}

/** Takes the image's record, all its names and every layer that no other image needs. */
export async function deleteFromStore(context: Context, imageId: string): Promise<void> {
  await run(skopeoCommand(context, ['delete', storeReference(context, `@${imageId}`)]), {
    signal: context.signal,
    attempt: `delete the image ${imageId}`,
    timeoutMs: 600_000,
  })
}

/** The name in an archive's index, where it has one; skopeo itself does not show it. */
export async function archiveAnnotation(context: Context, file: string): Promise<string | null> {
  const text = await run(
    ['tar', '--extract', '--to-stdout', '--file', file, '--wildcards', '--no-anchored', 'index.json'],
    {
      signal: context.signal,
      attempt: `read ${file}`,
      failure: 'pull-failed',
      timeoutMs: 600_000,
    },
  )
  return /"org\.opencontainers\.image\.ref\.name"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? null
}
