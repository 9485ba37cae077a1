import { compare, parse, Range } from 'semver'
import { ControllerError } from '../errors.ts'

export type VersionTag = { readonly tag: string; readonly version: string }

/**
 * The tags that are whole versions (a leading v is none of it) within the range as npm reads it, newest first. A
 * prerelease counts only where the range names one of the same version. Of two tags of one version, the one that
 * sorts first: so `1.2.3` before `v1.2.3`, whatever order the registry lists them in.
 * @throws ControllerError ImageInvalid when the range is none.
 */
export function versionsInRange(tags: readonly string[], range: string): readonly VersionTag[] {
  const wanted = rangeOf(range)
  return tags
    .toSorted()
    .flatMap((tag) => {
      const version = parse(tag)
      return version !== null && wanted.test(version) ? [{ tag, version }] : []
    })
    .toSorted((left, right) => compare(right.version, left.version))
    .map(({ tag, version }) => ({ tag, version: version.version }))
}

function rangeOf(range: string): Range {
  try {
    return new Range(range)
  } catch (cause) {
    const found = `${JSON.stringify(range)} is no range of versions; write one as npm does, for example "42.x"`
    throw new ControllerError('ImageInvalid', `reading a semver range: ${found}`, { cause })
  }
}
