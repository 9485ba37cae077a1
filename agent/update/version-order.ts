type Version = { readonly numbers: readonly number[]; readonly prerelease: readonly string[] }

const FORM = /^v?(\d{1,15}(?:\.\d{1,15})*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/

/**
 * The order that the controller judges a downgrade by: as many numbers between dots as there are, then semver's
 * prerelease.
 * Null where one of the two is no such version, so that nobody can say.
 */
export function orderOfVersions(left: string, right: string): -1 | 0 | 1 | null {
  const [one, other] = [versionIn(left), versionIn(right)]
  if (one === null || other === null) return null
  const places = Math.max(one.numbers.length, other.numbers.length)
  const differences = Array.from({ length: places }, (_, at) =>
    orderOf(one.numbers[at] ?? 0, other.numbers[at] ?? 0),
  )
  return (
    differences.find((difference) => difference !== 0) ?? orderOfPrereleases(one.prerelease, other.prerelease)
  )
}

function versionIn(text: string): Version | null {
  const [whole, numbers = '', prerelease] = FORM.exec(text) ?? []
  if (whole === undefined) return null
  return { numbers: numbers.split('.').map(Number), prerelease: prerelease?.split('.') ?? [] }
}

/** A release comes after its prereleases, and of two that begin alike the shorter first. */
function orderOfPrereleases(left: readonly string[], right: readonly string[]): -1 | 0 | 1 {
  if (left.length === 0 || right.length === 0) return orderOf(right.length, left.length)
  const shared = Math.min(left.length, right.length)
  const differences = left.slice(0, shared).map((part, at) => orderOfParts(part, right[at] as string))
  return differences.find((difference) => difference !== 0) ?? orderOf(left.length, right.length)
}

/** Numbers come before words. */
function orderOfParts(left: string, right: string): -1 | 0 | 1 {
  const [one, other] = [numberIn(left), numberIn(right)]
  if (one !== null && other !== null) return orderOf(one, other)
  if (one === null && other === null) return orderOf(left, right)
  return one === null ? 1 : -1
}

function numberIn(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null
}

function orderOf<Value extends number | string>(left: Value, right: Value): -1 | 0 | 1 {
  if (left === right) return 0
  return left < right ? -1 : 1
}
