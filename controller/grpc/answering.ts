import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { authorizeOperator } from './authorize.ts'
import { OPERATOR_RULES } from './operator-rules.ts'
import type { MethodName, RequestOf } from './operator-rules.ts'
import type { OrderAudit } from './order-audit.ts'
import { permit } from './permit.ts'
import type { Call, Permissions, Permitted, Viewer } from './permit.ts'
import { asServiceError } from './status.ts'

/** A call that its operator may make. */
export type Request<Message> = {
  readonly request: Message
  readonly actor: string
  readonly viewer: Viewer
}

type Methods = (typeof OperatorService)['method']
type UnaryName = {
  [Name in MethodName]: Methods[Name]['methodKind'] extends 'unary' ? Name : never
}[MethodName]
type AnswerOf<Name extends UnaryName> = MessageInitShape<Methods[Name]['output']>

export type Answering = <Name extends UnaryName>(
  method: Name,
  answer: (call: Request<RequestOf<Name>>) => AnswerOf<Name> | Promise<AnswerOf<Name>>,
) => (call: ServerUnaryCall<RequestOf<Name>, never>, done: sendUnaryData<never>) => void

export type AnsweringOptions = {
  readonly permissions: Permissions
  readonly audit: OrderAudit
  readonly logger: Logger
}

/**
 * A handler for operators that first asks who calls and whether they may, keeps orders in the audit log before and
 * after they are carried out, and turns what is thrown into a status.
 */
export function answering(options: AnsweringOptions): Answering {
  return (method, answer) => (call, done) => {
    const run = async (): Promise<void> => {
      const identity = authorizeOperator(call, options.permissions.roles)
      const { request } = call
      const asked = { method, request, actor: identity.name }
      const { viewer, fleet } = await permitted(options, asked)
      const carryOut = async (): Promise<object> =>
        (await answer({ request, actor: identity.name, viewer })) as object
      const { isOrder } = OPERATOR_RULES[method]
      const answered = isOrder ? await options.audit.kept({ ...asked, fleet }, carryOut) : await carryOut()
      done(null, create(OperatorService.method[method].output, answered) as never)
    }
    run().catch((error: unknown) => done(asServiceError(error, options.logger)))
  }
}

async function permitted<Name extends MethodName>(
  { permissions, audit }: AnsweringOptions,
  asked: Call<Name>,
): Promise<Permitted> {
  const { isOrder } = OPERATOR_RULES[asked.method]
  try {
    const found = permit(permissions, asked)
    // A controller that stands by carries nothing out, so there is nothing to keep.
    if (isOrder) permissions.state()
    return found
  } catch (error) {
    if (isOrder && isRefusal(error)) await audit.refused(asked, error.message)
    throw error
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === status.PERMISSION_DENIED
}
