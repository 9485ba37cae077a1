import type { Tree } from './tree.ts'

const folders = ['usr/bin', 'usr/sbin', 'bin', 'sbin']

/** Where a program is that a service would find on its PATH. */
export async function programPath(tree: Tree, name: string): Promise<string | null> {
  for (const folder of folders) {
    const found = await tree.find(`${folder}/${name}`)
    if (found?.kind === 'file' && found.executable) return `${folder}/${name}`
  }
  return null
}

export async function missingPrograms(tree: Tree, names: readonly string[]): Promise<string[]> {
  const missing: string[] = []
  for (const name of names) if ((await programPath(tree, name)) === null) missing.push(name)
  return missing
}

export async function isFile(tree: Tree, path: string): Promise<boolean> {
  return (await tree.find(path))?.kind === 'file'
}
