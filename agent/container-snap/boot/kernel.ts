import { readdir, stat } from 'node:fs/promises'
import { SnapError } from '../errors.ts'
import { resolveInside } from './inside-root.ts'

/** Both are real files below the root they were looked for in. */
export type Kernel = { version: string; linux: string; initrd: string }

/** @throws SnapError refused where there is not exactly one kernel with its initrd. */
export async function findKernel(root: string): Promise<Kernel> {
  const attempt = `find the kernel of ${root}`
  const versions = await kernelVersions(root)
  const [version, another] = versions
  if (version === undefined) {
    throw new SnapError(
      'refused',
      `${attempt}: no /usr/lib/modules/*/vmlinuz and no /boot/vmlinuz-*; install a kernel in the image`,
    )
  }
  if (another !== undefined) {
    throw new SnapError(
      'refused',
      `${attempt}: more than one, ${versions.join(' and ')}; leave one in the image`,
    )
  }
  const linux = await firstFile(root, [`usr/lib/modules/${version}/vmlinuz`, `boot/vmlinuz-${version}`])
  const initrd = await firstFile(root, initrdPaths(version))
  if (linux === null) throw new SnapError('refused', `${attempt}: the one of ${version} is empty or no file`)
  if (initrd === null) {
    const looked = initrdPaths(version).map((path) => `/${path}`)
    throw new SnapError(
      'refused',
      `${attempt}: ${version} has no initrd: none of ${looked.join(', ')}; make one while the image is built`,
    )
  }
  return { version, linux, initrd }
}

/** Versions of all kernels in a tree; one that lies in both places is one. */
export async function kernelVersions(root: string): Promise<readonly string[]> {
  const modules = await namesIn(root, 'usr/lib/modules')
  const withKernel = await Promise.all(
    modules.map(async (name) =>
      (await resolveInside(root, `usr/lib/modules/${name}/vmlinuz`)) ? [name] : [],
    ),
  )
  const inBoot = (await namesIn(root, 'boot')).flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? [])
  return [...new Set([...withKernel.flat(), ...inBoot])].toSorted()
}

function initrdPaths(version: string): readonly string[] {
  return [
    `usr/lib/modules/${version}/initrd`,
    `usr/lib/modules/${version}/initramfs.img`,
    `boot/initrd.img-${version}`,
    `boot/initrd-${version}`,
    `boot/initramfs-${version}.img`,
  ]
}

async function firstFile(root: string, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const file = await resolveInside(root, path)
    if (file === null) continue
    const found = await stat(file)
    if (found.isFile() && found.size > 0) return file
  }
  return null
}

async function namesIn(root: string, path: string): Promise<string[]> {
  const folder = await resolveInside(root, path)
  return folder === null ? [] : readdir(folder)
}
