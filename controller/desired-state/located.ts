import type { Flaw, YamlFile } from './document.ts'
import type { Manifest } from './manifest.ts'
import type { SourceFile } from './types.ts'

export type Located = { readonly manifest: Manifest; readonly file: SourceFile; readonly yaml: YamlFile }

/**
 * Says what is wrong with a manifest that is well-formed by itself. What is found only when it is shown, like a
 * suggestion, costs nothing where thousands are wrong in the same way.
 */
export type Complain = (about: Located, flaw: () => Flaw) => void

export function lineOf({ manifest, yaml }: Located): number {
  return yaml.positionOf(manifest.document.startOffset).line
}

export function flawAt(
  { manifest }: Located,
  path: readonly PropertyKey[],
  said: { readonly message: string; readonly suggestion?: string | null },
): Flaw {
  const { message, suggestion = null } = said
  return { offset: manifest.document.offsetOf(path, 'value'), message, suggestion }
}
