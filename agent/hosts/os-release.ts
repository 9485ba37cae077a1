import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OsRelease } from './host-driver.ts'

/** os-release(5) of a root; empty strings where it says nothing. */
export async function readOsRelease(root: string): Promise<OsRelease> {
  for (const path of ['usr/lib/os-release', 'etc/os-release']) {
    const text = await readFile(join(root, path), 'utf8').catch(() => '')
    if (text !== '') return parseOsRelease(text)
  }
  return parseOsRelease('')
}

export function parseOsRelease(text: string): OsRelease {
  return { id: valueOf(text, 'ID'), version: valueOf(text, 'VERSION_ID') }
}

/** For people: `Fedora Linux 41 (Server Edition)`. */
export function nameOfSystem(text: string): string {
  return valueOf(text, 'PRETTY_NAME') || valueOf(text, 'NAME')
}

function valueOf(text: string, name: string): string {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}=`)) ?? ''
  return line
    .slice(name.length + 1)
    .trim()
    .replaceAll(/^["']|["']$/g, '')
}
