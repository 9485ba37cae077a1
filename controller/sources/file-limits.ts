import { ControllerError } from '../errors.ts'

/** What may be read of any source. */
export type FileLimits = {
  readonly maxFiles: number
  readonly maxFileBytes: number
  readonly maxTotalBytes: number
}

export const defaultFileLimits: FileLimits = {
  maxFiles: 1000,
  maxFileBytes: 256 * 1024,
  maxTotalBytes: 8 * 1024 * 1024,
}

/**
 * YAML, keys that it may name, permits, and what may be removed; by its path below the source's folder. Hidden files and
 * folders (.github, .gitlab-ci.yml) belong to other tools; one of them is ours.
 */
export function isDesiredStateFile(path: string): boolean {
  if (path === '.bootfleet/allow-removal') return true
  if (/^\.bootfleet\/permits\/[^./][^/]*\.json$/.test(path)) return true
  return /\.(?:ya?ml|pub)$/.test(path) && !path.split('/').some((part) => part.startsWith('.'))
}

export function tooLarge(found: string): ControllerError {
  return new ControllerError(
    'SourceTooLarge',
    `reading the source: ${found}; narrow the source's path or raise the limit`,
  )
}
