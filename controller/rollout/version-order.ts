/**
 * Order of version labels: numbers between dots, as many as there are, then semver's prerelease. So 42.20260801.0 and
 * 39.20240210.3.0 have a place beside 1.2.0. Null where one of the two is no such version: nobody can say.
 */
export function compareVersions(left: string, right: string): number | null {
  const one = parse(left)
  const other = parse(right)
  if (one === null || other === null) return null
  const length = Math.max(one.numbers.length, other.numbers.length)
  for (let index = 0; index < length; index += 1) {
    const difference = (one.numbers[index] ?? 0) - (other.numbers[index] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return comparePrereleases(one.prerelease, other.prerelease)
}

export function isOlder(left: string, right: string): boolean {
  return compareVersions(left, right) === -1
}

type Version = { readonly numbers: readonly number[]; readonly prerelease: readonly string[] }

const form = /^v?(\d{1,15}(?:\.\d{1,15})*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/

function parse(text: string): Version | null {
  const match = form.exec(text)
  if (match === null) return null
  return {
    numbers: (match[1] as string).split('.').map(Number),
    prerelease: match[2] === undefined ? [] : match[2].split('.'),
  }
}

/** A release comes after its prereleases; numbers come before words. */
function comparePrereleases(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return Math.sign(right.length - left.length)
  const length = Math.max(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const order = compareIdentifiers(left[index], right[index])
    if (order !== 0) return order
  }
  return 0
}

function compareIdentifiers(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0
  if (left === undefined) return -1
  if (right === undefined) return 1
  const [one, other] = [left, right].map((text) => (/^\d{1,15}$/.test(text) ? Number(text) : null))
  if (one !== null && other !== null) return Math.sign((one as number) - (other as number))
  if (one !== null || other !== null) return one === null ? 1 : -1
  return left < right ? -1 : 1
}
