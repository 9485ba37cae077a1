/**
 * Order of hosts in a rollout: by hash of (revision, host id), so that every release has other guinea pigs, yet
 * every controller computes the same order. The id is hashed once, 2 × 32 bits over its UTF-16 units; each revision
 * mixes that with its own hash in four Feistel rounds, which keep different hashes different. Not a defence against
 * chosen ids: the controller makes host ids.
 */
export type Hash = { readonly high: number; readonly low: number }

export function hashOf(text: string): Hash {
  let high = 0x811c_9dc5
  let low = 0x9e37_79b9
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    high = Math.imul(high ^ unit, 0x9e37_79b1)
    low = Math.imul(low ^ unit, 0x5f35_6495)
    high ^= low >>> 15
    low ^= high >>> 13
  }
  return { high: mixed(high), low: mixed(low ^ text.length) }
}

/** Place of a host in the order of a revision: an integer of 53 bits. */
export function rankOf(revision: Hash, host: Hash): number {
  let { high, low } = host
  high ^= mixed(low ^ revision.low)
  low ^= mixed(high ^ revision.high)
  high ^= mixed(low + revision.low)
  low ^= mixed(high + revision.high)
  return (high >>> 0) * 0x20_0000 + (low >>> 11)
}

/** The rank in digits that sort as it does; the host id makes the key unique. */
export function orderKey(revision: string, hostId: string): string {
  return keyOfRank(rankOf(hashOf(revision), hashOf(hostId)), hostId)
}

const rankDigits = 14

export function keyOfRank(rank: number, hostId: string): string {
  return rank.toString(16).padStart(rankDigits, '0') + hostId
}

/** Greater than every order key: the last wave ends here. */
export const afterEveryKey = '~'

/** Not less than any order key of this rank, as host ids are made. */
export function endOfRank(rank: number): string {
  return keyOfRank(rank, afterEveryKey)
}

/** Hosts already broken are first in every queue, hosts that are tried again last. */
export const brokenPrefix = '0'
export const firstPrefix = '1'
export const againPrefix = '2'

/** The host that waits under a queue's key: a prefix and an order key. */
export function hostIdOf(key: string): string {
  return key.slice(brokenPrefix.length + rankDigits)
}

/** Every bit of the result depends on every bit of the word (the finaliser of MurmurHash3). */
function mixed(word: number): number {
  let hash = word
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
