/** A fleet as columns, with every label already a number and every id already hashed. */
export type Columns = { readonly label: Uint16Array; readonly hash: Uint32Array }

export function columnsOf(hosts: number): Columns {
  const label = new Uint16Array(hosts).fill(1)
  const hash = Uint32Array.from({ length: hosts }, (_, index) => Math.imul(index + 1, 0x9e37_79b1))
  return { label, hash }
}

/** The least that a plan can be: select, mix the hash with the revision, sort, and write each host's wave down. */
export function planFloor({ hash, label }: Columns, revision: number): Uint8Array {
  const order = new Float64Array(hash.length)
  let count = 0
  for (let index = 0; index < hash.length; index += 1) {
    if (label[index] === 1) order[count++] = mixed((hash[index] as number) ^ revision) * 0x20_0000 + index
  }
  const sorted = order.subarray(0, count).sort()
  const waves = new Uint8Array(hash.length)
  const ends = [1, Math.ceil(count / 10), count]
  let wave = 0
  for (let place = 0; place < count; place += 1) {
    while (place >= (ends[wave] as number)) wave += 1
    waves[(sorted[place] as number) % 0x20_0000] = wave
  }
  return waves
}

function mixed(word: number): number {
  let hash = word
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
