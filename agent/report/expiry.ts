import { X509Certificate } from 'node:crypto'

/** What to say when our own certificate is why nobody listens; null while it is in force. */
export function expiryNotice(certificatePem: string, nowMs: number): string | null {
  const { validTo } = new X509Certificate(certificatePem)
  if (nowMs < Date.parse(validTo)) return null
  const found = `this host's certificate expired at ${new Date(validTo).toISOString()}, so its reports are refused`
  return `${found}; check the clock, or put a new certificate.pem in its place`
}
