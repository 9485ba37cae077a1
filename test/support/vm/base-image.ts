import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const script = join(import.meta.dirname, 'debian-root.sh')
const policy = join(import.meta.dirname, '../../../packaging/tree/usr/share/selinux/default/bootfleet.cil')
const cache = join(import.meta.dirname, '../../../.cache/vm')

/**
 * The Debian system below our files, as `oci:DIR:base`, with more of Debian's packages where a test needs them. Built
 * once: the cache is as good as the script and the packages that filled it.
 */
export async function baseImage(packages: readonly string[] = []): Promise<string> {
  const recipe = createHash('sha256')
    .update(await readFile(script))
    .update(packages.join(' '))
    .update(await readFile(policy))
    .digest('hex')
    .slice(0, 12)
  const layout = join(cache, `base-${recipe}`)
  const image = `oci:${layout}:base`
  if (await stat(join(layout, 'index.json')).catch(() => null)) return image
  await mkdir(cache, { recursive: true })
  const tar = join(cache, `base-${recipe}-${process.pid}.tar`)
  const unfinished = `${layout}-${process.pid}`
  try {
    await exec(script, [tar, ...packages], { timeout: 900_000, maxBuffer: 64 * 1024 * 1024 })
    const compress = ['--dest-compress', '--dest-compress-format', 'zstd', '--dest-compress-level', '1']
    await exec('skopeo', ['copy', '--quiet', ...compress, `tarball:${tar}`, `oci:${unfinished}:base`], {
      timeout: 300_000,
    })
    await rename(unfinished, layout)
  } finally {
    await rm(tar, { force: true })
    await rm(unfinished, { recursive: true, force: true })
  }
  return image
}
