import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'

/** The order counts, for the kernel goes by it. */
function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((argument, at) => argument === other[at])
}

/** Of an agent that does not say, nothing is asked: it takes no plan with arguments either. */
export function runsWith({ kernelArguments }: HostReport, wanted: readonly string[] = []): boolean {
  return kernelArguments === undefined || isSame(kernelArguments, wanted)
}

/** Git wants others since the attempt began; what came of it says nothing of these. */
export function wantsOthers(
  host: { readonly kernelArguments: readonly string[] },
  { kernelArguments = [] }: GrantRecord,
): boolean {
  return !isSame(kernelArguments, host.kernelArguments)
}
