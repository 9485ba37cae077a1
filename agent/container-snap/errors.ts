export type SnapErrorCode =
  | 'storage-failed'
  | 'usage'
  | 'not-found'
  | 'refused'
  | 'busy'
  | 'pull-failed'
  | 'verification-failed'
  | 'no-space'
  | 'interrupted'

/** Exit statuses are part of the command line contract: never renumber, only add. */
const exitStatuses: Readonly<Record<SnapErrorCode, number>> = {
  'storage-failed': 1,
  usage: 2,
  'not-found': 3,
  refused: 4,
  busy: 5,
  'pull-failed': 6,
  'verification-failed': 7,
  'no-space': 8,
  interrupted: 130,
}

/** The one error of container-snap; its message is one line, fit to be shown as it is. */
export class SnapError extends Error {
  readonly code: SnapErrorCode

  constructor(code: SnapErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SnapError'
    this.code = code
  }
}

const noSpaceWords = /no space left on device|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/i

export function saysNoSpace(text: string): boolean {
  return noSpaceWords.test(text)
}

export function exitStatusOf(error: unknown): number {
  if (error instanceof Error && saysNoSpace(error.message)) return exitStatuses['no-space']
  return exitStatuses[error instanceof SnapError ? error.code : 'storage-failed']
}

/** Subprocess messages come in several lines; the user gets exactly one. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, '; ')
}
