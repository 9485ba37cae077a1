/**
 * Order of hosts in a rollout: by hash of (revision, host id), so that every release has other guinea pigs, yet
 * every controller computes the same order. FNV-1a with 64 bits over the UTF-16 units of `revision/hostId`, low byte
 * first, followed by a 64-bit finaliser (FNV alone leaves ids that differ in their last letter side by side). Not a
 * defence against chosen ids: the controller makes host ids. The host id at the end makes every key unique.
 */
export function orderKey(revision: string, hostId: string): string {
  return (
    mixed(fnv1a(`${revision}/${hostId}`))
      .toString(16)
      .padStart(16, '0') + hostId
  )
}

/** Greater than every order key: the last wave ends here. */
export const afterEveryKey = '~'

const mask = 0xffff_ffff_ffff_ffffn

function fnv1a(text: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    hash = ((hash ^ BigInt(unit & 0xff)) * 0x100_0000_01b3n) & mask
    hash = ((hash ^ BigInt(unit >> 8)) * 0x100_0000_01b3n) & mask
  }
  return hash
}

function mixed(hash: bigint): bigint {
  const once = ((hash ^ (hash >> 33n)) * 0xff51_afd7_ed55_8ccdn) & mask
  const twice = ((once ^ (once >> 33n)) * 0xc4ce_b9fe_1a85_ec53n) & mask
  return twice ^ (twice >> 33n)
}

/** Hosts already broken are first in every queue. */
export const brokenPrefix = '0'

/** A queue: distinct keys, ascending. Insertion moves memory, it compares only log2(n) keys. */
export type Queue = string[]

export function enqueue(queue: Queue, key: string): void {
  queue.splice(placeOf(queue, key), 0, key)
}

export function dequeue(queue: Queue, key: string): void {
  queue.splice(placeOf(queue, key), 1)
}

function placeOf(queue: Queue, key: string): number {
  let low = 0
  let high = queue.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((queue[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
