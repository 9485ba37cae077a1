import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { readStoredImages } from '../store/images.ts'
import { openView } from '../store/session.ts'
import { listSnapshots as snapshotsOf } from '../store/snapshots.ts'

export async function listImages(context: Context): Promise<string> {
  const { images } = await readStoredImages(context.paths)
  if (context.json) {
    const rows = images.map(({ id, created, names, digest, sizeBytes }) => ({
      id,
      createdAt: created,
      names,
      manifestDigest: digest,
      sizeBytes,
    }))
    return jsonLine(rows)
  }
  return images
    .map((image) => `${image.id},${goTime(image.created)},${image.names[0] ?? 'unknown-name'}\n`)
    .join('')
}

/** As Go prints a time: scripts sort this column as text, and a comma would break their cutting. */
export function goTime(timestamp: string): string {
  const [, date, time, fraction = '', zone = 'Z'] =
    /^(\d{4,}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(timestamp) ?? []
  if (date === undefined || time === undefined) return '0001-01-01 00:00:00 +0000 UTC'
  const digits = fraction.replace(/\.?0+$/, '')
  if (zone === 'Z') return `${date} ${time}${digits} +0000 UTC`
  // Go prints local zones by name; UTC is what sorts.
  const utc = new Date(`${date}T${time}${zone}`).toISOString()
  return `${utc.slice(0, 10)} ${utc.slice(11, 19)}${digits} +0000 UTC`
}

/** Exactly two columns behind a header line: tukit skips the first line and cuts each other at its comma. */
export async function listSnapshots(context: Context): Promise<string> {
  const snapshots = snapshotsOf(await openView(context))
  if (context.json) {
    return jsonLine(
      snapshots.map(({ id, imageId, kind, subvolume }) => ({
        id,
        imageId,
        kind,
        readonly: subvolume.readonly,
        subvolumeUuid: subvolume.uuid,
      })),
    )
  }
  const rows = snapshots.map((snapshot) => `${snapshot.id},${snapshot.subvolume.readonly}\n`)
  return `# snapshot-id,ro\n${rows.join('')}`
}
