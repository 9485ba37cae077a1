/** Null for what is not exactly base64: Node decodes anything, and two texts must not mean one signature. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : null
}
