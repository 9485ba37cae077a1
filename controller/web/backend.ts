import type { PeerCertificate } from 'node:tls'
import type { Place } from './page/place.ts'
import type { Reading } from './page/wire.ts'

/** What the page needs of the controller. */
export type WebBackend = {
  /** @throws WebRefusal 403 of whoever is no operator now. */
  readonly operatorOf: (certificate: PeerCertificate) => string
  /** What this caller may see of a place. @throws WebRefusal. */
  readonly read: (certificate: PeerCertificate, place: Place) => Reading
  /** Calls back after changes, a few times a second at most; null when there are too many listeners. */
  readonly listen: (listener: () => void) => (() => void) | null
}

export class WebRefusal extends Error {
  readonly status: 400 | 403 | 404 | 429 | 500 | 503

  constructor(status: WebRefusal['status'], message: string) {
    super(message)
    this.name = 'WebRefusal'
    this.status = status
  }
}

/** The page as the build made it. */
export type PageFiles = {
  readonly html: string
  readonly script: string
  readonly style: string
  readonly icon: string
}
