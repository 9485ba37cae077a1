const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Longer is a mistake in the unit, and a timer far in the future must still fit a safe integer. */
export const maxDurationMs = 366 * dayMs

export const durationPattern =
  /^(?=[0-9])(?:([0-9]{1,8})d)?(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,8})s)?$/

/** As a user writes it; whole seconds, as all that users write. */
export function formatDuration(durationMs: number): string {
  const units = [
    ['d', dayMs],
    ['h', hourMs],
    ['m', minuteMs],
    ['s', secondMs],
  ] as const
  let restMs = durationMs
  let written = ''
  for (const [unit, unitMs] of units) {
    const count = Math.floor(restMs / unitMs)
    if (count > 0) written += `${count}${unit}`
    restMs -= count * unitMs
  }
  return written === '' ? '0s' : written
}

/** "2h", "90s", "1h30m" or the number 0, in milliseconds; null for anything else or more than 366 days. */
export function parseDuration(value: string | number): number | null {
  if (typeof value === 'number') return value === 0 ? 0 : null
  const match = durationPattern.exec(value)
  if (match === null) return null
  const [days, hours, minutes, seconds] = match
    .slice(1)
    .map((digits: string | undefined) => Number(digits ?? 0))
  const totalMs =
    Number(days) * dayMs + Number(hours) * hourMs + Number(minutes) * minuteMs + Number(seconds) * secondMs
  return totalMs <= maxDurationMs ? totalMs : null
}
