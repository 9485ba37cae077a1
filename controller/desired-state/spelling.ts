const maxComparedLength = 64

/** The candidate a writer most likely meant, or null when none is near. */
export function closest(word: string, candidates: readonly string[]): string | null {
  if (word.length > maxComparedLength) return null
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: Array.from(right).length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(left).entries()) {
    const next = [i + 1]
    for (const [j, other] of Array.from(right).entries()) {
      const substituted = Number(row[j]) + (letter === other ? 0 : 1)
      next.push(Math.min(substituted, Number(row[j + 1]) + 1, Number(next[j]) + 1))
    }
    row = next
  }
  return Number(row.at(-1))
}
