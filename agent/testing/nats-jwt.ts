/** In the form of a NATS user's JWT for `publicKey`; no server would take it, for nobody signed it. */
export function natsJwtFor(publicKey: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ sub: publicKey, iat: 1 })}.c2lnbmVk`
}
