/** Uniform in [0, 1). */
export type Random = () => number

/**
 * The same numbers for the same name, whatever else draws numbers: a host keeps its luck when another one is taken
 * out of a scenario, so that a shrunk scenario still fails. FNV-1a over the name seeds a sfc32.
 */
export function randomOf(...name: readonly (string | number)[]): Random {
  const text = name.join('/')
  let a = hashed(text, 0x811c_9dc5)
  let b = hashed(text, 0x9e37_79b9)
  let c = hashed(text, 0x85eb_ca6b)
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 0x1_0000_0000
  }
  for (let warm = 0; warm < 12; warm += 1) next()
  return next
}

function hashed(text: string, basis: number): number {
  let hash = basis
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  }
  return hash | 0
}

/** One draw under a name of its own. */
export function luckOf(...name: readonly (string | number)[]): number {
  return randomOf(...name)()
}

/** An integer, both ends included. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1))
}

export function pick<Of>(random: Random, of: readonly Of[]): Of {
  return of[Math.floor(random() * of.length)] as Of
}
