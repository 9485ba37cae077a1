import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'

/** Puts programs of this machine, with the libraries they need, into a tree that has nothing to run. */
export async function copyPrograms(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const program = (await execa('realpath', [join('/usr/bin', name)])).stdout
    const { stdout } = await execa('ldd', [program])
    const libraries = stdout.split('\n').flatMap((line) => /(?:^|=> |\t)(\/\S+) \(0x/.exec(line)?.[1] ?? [])
    await put(root, program, join('/usr/bin', name))
    for (const library of libraries) await put(root, library, library)
  }
}

async function put(root: string, source: string, path: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await copyFile(source, join(root, path))
}
