/** When the controller, or what brings its plans, last answered; null: not since the start of the process. */
export type Contact = { note(): void; atMs(): number | null }

export function openContact(): Contact {
  let lastAtMs: number | null = null
  return {
    note: () => {
      lastAtMs = Date.now()
    },
    atMs: () => lastAtMs,
  }
}
