const maxComparedLength = 64

/** So that a reference in a repository of thousands of names costs no more than one in a small one. */
const maxCandidates = 1000

/** The candidate a writer most likely meant, or null when none is near. */
export function closest(word: string, candidates: readonly string[]): string | null {
  if (word.length > maxComparedLength) return null
  const letters = Array.from(word.toLowerCase())
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates.slice(0, maxCandidates)) {
    const distance = editDistance(letters, Array.from(candidate.toLowerCase()), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const meant = closest(word, candidates)
  return meant === null ? null : `did you mean "${meant}"?`
}

/** Exact below `limit`; else `limit`, as soon as that is sure. */
function editDistance(left: readonly string[], right: readonly string[], limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [i, letter] of left.entries()) {
    const next = [i + 1]
    let least = i + 1
    for (const [j, other] of right.entries()) {
      const substituted = Number(row[j]) + (letter === other ? 0 : 1)
      const distance = Math.min(substituted, Number(row[j + 1]) + 1, Number(next[j]) + 1)
      next.push(distance)
      least = Math.min(least, distance)
    }
    if (least >= limit) return limit
    row = next
  }
  return Number(row.at(-1))
}
