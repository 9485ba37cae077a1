const SUBJECT = /^bootfleet return (U[A-Z2-7]{55})$/

/** The common name of a certificate request by which a host comes back, and of no other request. */
export function returnSubject(natsUserPublicKey: string): string {
  return `bootfleet return ${natsUserPublicKey}`
}

/** Public key of the NATS user; null when the request was made for something else. */
export function natsUserOfReturn(commonName: string): string | null {
  return SUBJECT.exec(commonName)?.[1] ?? null
}
