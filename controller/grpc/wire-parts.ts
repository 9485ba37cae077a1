import * as z from 'zod'

/** A host may say anything: text is cut to what a screen and a stored value can hold, and loses control characters. */
export const shown = (lengthMax: number): z.ZodType<string, string> =>
  z.string().transform((text) => cleaned(text, lengthMax))

export const Instant = z.bigint().nonnegative().max(BigInt(8.64e15)).transform(Number)

export function cleaned(text: string, lengthMax: number): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ').slice(0, lengthMax)
}
