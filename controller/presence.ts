/** What is known of a host beside its report; in memory only. */
export type HostPresence = {
  readonly connected: boolean
  readonly lastSeenAtMs: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export type Presence = {
  readonly get: (hostId: string) => HostPresence
  connected(hostId: string): void
  disconnected(hostId: string): void
  seen(hostId: string): void
  progress(hostId: string, bytes: { readonly done: number; readonly total: number }): void
  readonly connectedHosts: () => Iterable<string>
}

const NEVER_SEEN: HostPresence = { connected: false, lastSeenAtMs: 0, doneBytes: 0, totalBytes: 0 }

export function createPresence(clock: () => number): Presence {
  const hosts = new Map<string, HostPresence>()
  const get = (hostId: string): HostPresence => hosts.get(hostId) ?? NEVER_SEEN
  const change = (hostId: string, changed: Partial<HostPresence>): void => {
    hosts.set(hostId, { ...get(hostId), ...changed })
  }
  return {
    get,
    connected: (hostId) => change(hostId, { connected: true, lastSeenAtMs: clock() }),
    disconnected: (hostId) => change(hostId, { connected: false, doneBytes: 0, totalBytes: 0 }),
    seen: (hostId) => change(hostId, { lastSeenAtMs: clock() }),
    progress: (hostId, { done, total }) => change(hostId, { doneBytes: done, totalBytes: total }),
    *connectedHosts() {
      for (const [hostId, { connected }] of hosts) if (connected) yield hostId
    },
  }
}
