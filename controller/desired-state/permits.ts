import type { Flaw, YamlFile } from './document.ts'
import type { SourceFile } from './types.ts'

/** Of one source; sources that are read together have a folder each. */
export function isPermitFile(path: string): boolean {
  return /(?:^|\/)\.bootfleet\/permits\/[^./][^/]*\.json$/.test(path)
}

/** So many lie in git at once; each is for hosts to judge, and most of them expire. */
export const maxPermits = 64

/** Only its form: whose signatures count, hosts know best. */
export function readPermitFile({ text }: SourceFile): {
  readonly flaws: readonly Flaw[]
  readonly positionOf: YamlFile['positionOf']
} {
  return { flaws: isEnvelope(text) ? [] : [flaw], positionOf: () => ({ line: 1, column: 1 }) }
}

const flaw: Flaw = {
  offset: 0,
  message: 'is no permit: an envelope with payloadType, payload and signatures',
  suggestion: 'make it with bootfleet trust permit downgrade',
}

export const tooManyPermits: Flaw = {
  offset: 0,
  message: `is one permit too many: there may be ${maxPermits}`,
  suggestion: 'remove those that have expired',
}

function isEnvelope(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return false
    return 'payloadType' in value && 'payload' in value && 'signatures' in value
  } catch {
    return false
  }
}
