import { imageKernelArguments } from './kernel-arguments.ts'
import type { BootDeployment } from './loader.ts'

/** `host`: what a plan wants of this host. */
export type ArgumentSource = 'image' | 'host' | 'machine'

export type SourcedArgument = { argument: string; source: ArgumentSource }

/** What stands on the kernel's line of a deployment behind its root, and who wants it there. */
export async function kernelLine(
  { kernelArguments: ofHost = [], root }: Pick<BootDeployment, 'kernelArguments' | 'root'>,
  ofMachine: readonly string[],
): Promise<readonly SourcedArgument[]> {
  return mergeArguments({ image: await imageKernelArguments(root), host: ofHost, machine: ofMachine })
}

/**
 * The image's first and the machine's last, for the last of a name wins: no image and no plan can take its disk or its
 * console away from a machine. Of the very same argument the last one stays, so that which one wins stays as it is.
 */
export function mergeArguments(
  lists: Readonly<Record<ArgumentSource, readonly string[]>>,
): readonly SourcedArgument[] {
  const all = (['image', 'host', 'machine'] as const).flatMap((source) =>
    lists[source].map((argument) => ({ argument, source })),
  )
  return all.filter(({ argument }, at) => !all.slice(at + 1).some((later) => later.argument === argument))
}
