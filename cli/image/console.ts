export type ConsoleVerdict =
  | { readonly kind: 'up'; readonly marker: string }
  | { readonly kind: 'down'; readonly marker: string }
  | { readonly kind: 'unknown' }

/** systemd's own words on the console, and the prompt of a getty. */
const upMarkers = [
  /Reached target .*(?:multi-user\.target|Multi-User System|graphical\.target|Graphical Interface).*/,
  /^\S+ login: *$/m,
]

/** From here nothing comes up any more without a person. */
const downMarkers = [
  /Kernel panic - not syncing.*/,
  /You are in (?:emergency|rescue) mode.*/,
  /Cannot open access to console, the root account is locked.*/,
  /^\(initramfs\)/m,
  /dracut: FATAL.*/,
  /Gave up waiting for .*/,
  /BdsDxe: failed to start .*/,
  /BdsDxe: No bootable option or device was found.*/,
]

export function judgeConsole(text: string): ConsoleVerdict {
  const plain = plainText(text)
  const down = firstMatch(plain, downMarkers)
  if (down !== null) return { kind: 'down', marker: down }
  const up = firstMatch(plain, upMarkers)
  return up === null ? { kind: 'unknown' } : { kind: 'up', marker: up }
}

/** Units that systemd could not start, in its own words. */
export function failedUnits(text: string): string[] {
  const lines = [...plainText(text).matchAll(/\[FAILED\] Failed to (?:start|mount|listen on) (.+?)\.?$/gm)]
  return [...new Set(lines.map(([, unit = '']) => unit))]
}

export function lastLines(text: string, count: number): string {
  const lines = plainText(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
  return lines.slice(-count).join('\n')
}

function firstMatch(text: string, patterns: readonly RegExp[]): string | null {
  for (const pattern of patterns) {
    const found = pattern.exec(text)
    if (found !== null) return found[0].trim()
  }
  return null
}

/** Firmware and systemd move the cursor and paint. */
function plainText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\u001B(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78c])/g, '').replaceAll(/\r+\n?/g, '\n')
}
