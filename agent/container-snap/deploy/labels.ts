import { readFile } from 'node:fs/promises'
import { resolveInside } from '../boot/inside-root.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { withInside } from '../inside.ts'

const timeoutMs = 30 * 60_000
/** Bound from the running system, which has labels of its own. */
const foreign = ['/dev', '/proc', '/sys', '/run']

/**
 * Gives all files below `path` of a deployment the SELinux labels that its own policy says, by its own setfiles,
 * which knows the format of its policy. Attributes can be written without SELinux in the running kernel. Does nothing
 * for an image without a policy, or whose policy is disabled.
 */
export async function labelFiles(context: Context, root: string, path: '/' | '/etc' = '/'): Promise<void> {
  const contexts = await fileContexts(root)
  if (contexts === null) return
  const attempt = `label the files of ${root}`
  const program = await firstInside(root, ['/usr/sbin/setfiles', '/sbin/setfiles'])
  if (program === null) {
    const found = `it has an SELinux policy, ${contexts}, and no setfiles`
    const advice = 'install policycoreutils in the image, or set SELINUX=disabled in its /etc/selinux/config'
    throw new SnapError('refused', `${attempt}: ${found}; ${advice}`)
  }
  const left = foreign.flatMap((one) => ['-e', one])
  await withInside(context, { root }, async (inside) => {
    // -m: mounts without labels are no reason to leave files out, as they are where the running kernel knows none.
    await inside.run([program, '-F', '-m', ...left, contexts, path], { attempt, timeoutMs })
  })
}

async function fileContexts(root: string): Promise<string | null> {
  const config = await resolveInside(root, 'etc/selinux/config')
  if (config === null) return null
  const text = await readFile(config, 'utf8')
  const field = (name: string): string | undefined =>
    new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*([A-Za-z0-9_.-]+)[ \\t]*$`, 'm').exec(text)?.[1]
  const type = field('SELINUXTYPE')
  if (type === undefined || field('SELINUX')?.toLowerCase() === 'disabled') return null
  const path = `/etc/selinux/${type}/contexts/files/file_contexts`
  return (await resolveInside(root, path)) === null ? null : path
}

async function firstInside(root: string, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if ((await resolveInside(root, path)) !== null) return path
  return null
}
