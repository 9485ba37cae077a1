/** More than any screen is wide; what hosts send must not cost more than that. */
const TEXT_MAX = 2_000

/** One line without control codes, and without marks that turn the direction of writing. */
export function cleanText(text: string): string {
  const short = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text
  if (/^[\u0020-\u007e]*$/.test(short)) return short
  return short
    .replaceAll(/[^\S ]/gu, ' ')
    .replaceAll(/\p{C}/gu, '\ufffd')
    .replaceAll(/(\p{M}{4})\p{M}+/gu, '$1')
}
