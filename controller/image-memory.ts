import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { ImageVerification } from './desired-state/types.ts'
import { writeDurably } from './durable-file.ts'
import { PlanSignatures } from '../proto/plan-signature.ts'
import { WantedHealth } from './store/stored-strategy.ts'
import type { ImageMemory, KnownImages } from './known-images.ts'

const Image = z.object({
  repository: z.string(),
  digest: z.string(),
  version: z.string(),
  manifests: z.record(z.string(), z.string()),
})

const Verification: z.ZodType<ImageVerification> = z.object({
  keys: z.array(
    z.union([
      z.object({ kind: z.literal('file'), path: z.string(), pem: z.string() }),
      z.object({ kind: z.literal('configured'), name: z.string() }),
    ]),
  ),
  signers: z.array(
    z.object({
      trustedRoot: z.string(),
      issuer: z.string(),
      subject: z.object({ kind: z.enum(['exact', 'pattern']), value: z.string() }),
    }),
  ),
})

const KnownImage: z.ZodType<KnownImages[string]> = z.object({
  reference: z.string(),
  image: Image,
  health: WantedHealth,
  verify: Verification.nullable().default(null),
})

const Sighting = z.object({
  tag: z.string(),
  digest: z.string(),
  version: z.string(),
  firstSeenMs: z.number(),
})

const Stored = z.object({
  /** Term of the leader that knew it: after another leader's term the images may be outdated. */
  term: z.int(),
  images: z.record(z.string(), KnownImage),
  sightings: z.record(z.string(), z.array(Sighting)).default({}),
  named: z.record(z.string(), Image).default({}),
  verified: z.record(z.string(), z.array(z.string())).default({}),
  proofs: z.record(z.string(), z.object({ role: z.string(), signatures: PlanSignatures })).default({}),
})

const FILE = 'images.json'
/** Where the images were kept while there could be only one source. */
const EARLIER_FILE = 'accepted-commit.json'

/**
 * What was kept for the leader of `term`. Sightings, what a digest is and by whom it is signed are true whoever led since: that does not
 * change. What cannot be read counts as nothing.
 */
export async function readImageMemory(stateDir: string, term: number): Promise<ImageMemory> {
  const stored = (await readStored(join(stateDir, FILE))) ?? (await readStored(join(stateDir, EARLIER_FILE)))
  if (stored === null) return { images: {}, sightings: {}, named: {}, verified: {}, proofs: {} }
  const { term: storedTerm, images, ...lasting } = stored
  return { images: storedTerm === term - 1 ? images : {}, ...lasting }
}

async function readStored(path: string): Promise<z.infer<typeof Stored> | null> {
  try {
    return Stored.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null
  }
}

export async function writeImageMemory(stateDir: string, term: number, memory: ImageMemory): Promise<void> {
  await writeDurably(join(stateDir, FILE), JSON.stringify({ term, ...memory }))
}
