import { create } from '@bufbuild/protobuf'
import type { Logger } from 'pino'
import { ChallengeResponseSchema, LoginResponseSchema } from '../../proto/gen/bootfleet/v1/login_pb.ts'
import type { LoginService } from '../../proto/gen/bootfleet/v1/login_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import type { Logins } from '../operators/login.ts'
import { addressOf } from './caller-rates.ts'
import { openLoginLimits } from './login-limits.ts'
import { asServiceError } from './status.ts'

export function createLoginService(
  { challenge, login }: Logins,
  { controllerAddress, logger }: { readonly controllerAddress: string; readonly logger: Logger },
): Handlers<typeof LoginService> {
  const limits = openLoginLimits()
  return {
    challenge(call, done) {
      try {
        limits.admitChallenge(call.getPeer())
        done(null, create(ChallengeResponseSchema, { nonce: challenge() }))
      } catch (error) {
        done(asServiceError(error, logger))
      }
    },
    login(call, done) {
      const { lifeMs, ...asked } = call.request
      const attempt = { ...asked, lifeMs: Number(lifeMs), from: addressOf(call.getPeer()) }
      limits
        .verifying(() => login(attempt))
        .then(
          ({ expiresAtMs, ...given }) => {
            const answer = { ...given, expiresAtMs: BigInt(expiresAtMs), controllerAddress }
            done(null, create(LoginResponseSchema, answer))
          },
          (error: unknown) => done(asServiceError(error, logger)),
        )
    },
  }
}
