import * as z from 'zod'
import type { TokenRecord } from '../joins/token-record.ts'
import { atMs, count } from './stored-parts.ts'

const Decision = z.object({ atMs, actor: z.string(), reason: z.string() })

export const Token: z.ZodType<TokenRecord> = z.object({
  slot: count,
  id: z.string(),
  secretSha256: z.string().regex(/^[0-9a-f]{64}$/),
  labels: z.record(z.string(), z.string()),
  createdBy: z.string(),
  createdAtMs: atMs,
  expiresAtMs: atMs,
  uses: count,
  autoApprovals: count,
  replaces: z.object({ hostId: z.string(), name: z.string() }).optional(),
  returning: z.boolean().optional(),
  revoked: Decision.optional(),
  seal: z.string(),
  requests: z.array(
    z.object({
      hostId: z.string(),
      name: z.string(),
      natsUserPublicKey: z.string(),
      requestedAtMs: atMs,
      from: z.string(),
      isAuto: z.boolean(),
      remark: z.string(),
      decision: Decision.extend({ kind: z.enum(['Approved', 'Denied']) }).nullable(),
    }),
  ),
})
