import type { HostReport } from './report.ts'

/** The order counts, for the kernel goes by it. */
export function areSameArguments(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((argument, at) => argument === other[at])
}

/** Of a host that does not say, nothing is asked: it is given none either. */
export function runsWith({ kernelArguments }: HostReport, wanted: readonly string[] = []): boolean {
  return kernelArguments === undefined || areSameArguments(kernelArguments, wanted)
}
