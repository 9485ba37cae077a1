import { resolve } from 'node:path'
import * as z from 'zod'

/** Whose ID tokens log operators in. */
export const OidcConfig = z.strictObject({
  /** As it stands in the tokens; its keys are found below it. */
  issuer: z.url({ protocol: /^https$/ }),
  /** Whom tokens must be meant for, so that none that another service was given counts here. */
  audience: z.string().min(1),
  /** What of a token operators are listed by. */
  subjectClaim: z.string().min(1).max(64).default('sub'),
  /** CAs of the issuer's own, instead of those of the machine. */
  caFile: z.string().min(1).optional(),
})
export type OidcConfig = z.infer<typeof OidcConfig>

export function oidcWithPaths({ caFile, ...oidc }: OidcConfig, base: string): OidcConfig {
  return caFile === undefined ? oidc : { ...oidc, caFile: resolve(base, caFile) }
}
