/** Of a kernel's line. */
export type ArgumentChange = { readonly from: readonly string[]; readonly to: readonly string[] }

/**
 * What git wants against what a host was given; null: it has just those. One that does not say what it was given is
 * not told to differ in it.
 */
export function argumentChangeOf(
  wanted: readonly string[] | undefined,
  given: readonly string[] | null,
): ArgumentChange | null {
  const to = wanted ?? []
  const from = given ?? to
  return to.join(' ') === from.join(' ') ? null : { from, to }
}

export function addedBy({ from, to }: ArgumentChange): readonly string[] {
  return to.filter((one) => !from.includes(one))
}

export function removedBy({ from, to }: ArgumentChange): readonly string[] {
  return from.filter((one) => !to.includes(one))
}

/** `-quiet +mitigations=off`. */
export function argumentWords(change: ArgumentChange): string {
  const words = [...removedBy(change).map((one) => `-${one}`), ...addedBy(change).map((one) => `+${one}`)]
  return words.length === 0 ? 'in another order' : words.join(' ')
}
