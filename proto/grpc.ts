import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageShape,
} from '@bufbuild/protobuf'
import { makeClientConstructor } from '@grpc/grpc-js'
import type {
  CallOptions,
  Client,
  ChannelCredentials,
  ClientDuplexStream,
  ClientOptions,
  ClientReadableStream,
  ClientUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  ServiceError,
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from '@grpc/grpc-js'

/** What a server of `Service` must implement, one typed handler per method. */
export type Handlers<Service extends DescService> = {
  [Name in keyof Service['method']]: Handler<Service['method'][Name]>
}

type Handler<Method> =
  Method extends DescMethodUnary<infer Request, infer Response>
    ? handleUnaryCall<MessageShape<Request>, MessageShape<Response>>
    : Method extends DescMethodServerStreaming<infer Request, infer Response>
      ? handleServerStreamingCall<MessageShape<Request>, MessageShape<Response>>
      : Method extends DescMethodClientStreaming<infer Request, infer Response>
        ? handleClientStreamingCall<MessageShape<Request>, MessageShape<Response>>
        : Method extends DescMethodBiDiStreaming<infer Request, infer Response>
          ? handleBidiStreamingCall<MessageShape<Request>, MessageShape<Response>>
          : never

/** A typed grpc-js client of `Service`. Every call takes options, so that none goes without a deadline. */
export type ServiceClient<Service extends DescService> = Client & {
  [Name in keyof Service['method']]: ClientMethod<Service['method'][Name]>
}

type ClientMethod<Method> =
  Method extends DescMethodUnary<infer Request, infer Response>
    ? (
        request: MessageShape<Request>,
        options: CallOptions,
        done: (error: ServiceError | null, response?: MessageShape<Response>) => void,
      ) => ClientUnaryCall
    : Method extends DescMethodServerStreaming<infer Request, infer Response>
      ? (request: MessageShape<Request>, options: CallOptions) => ClientReadableStream<MessageShape<Response>>
      : Method extends DescMethodBiDiStreaming<infer Request, infer Response>
        ? (options: CallOptions) => ClientDuplexStream<MessageShape<Request>, MessageShape<Response>>
        : never

/** Definition for `Server.addService`; the type parameter ties it to {@link Handlers}. */
export function toServiceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, toMethodDefinition(method)]))
}

export function createClient<Service extends DescService>(
  service: Service,
  target: {
    readonly address: string
    readonly credentials: ChannelCredentials
    readonly options?: ClientOptions
  },
): ServiceClient<Service> {
  const Constructor = makeClientConstructor(toServiceDefinition(service), service.typeName)
  const client: unknown = new Constructor(target.address, target.credentials, target.options)
  return client as ServiceClient<Service>
}

function toMethodDefinition(
  method: DescMethod,
): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  const streams = (side: 'client' | 'server'): boolean =>
    method.methodKind === `${side}_streaming` || method.methodKind === 'bidi_streaming'
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: streams('client'),
    responseStream: streams('server'),
    ...codec('request', method.input),
    ...codec('response', method.output),
  } as MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>>
}

function codec(side: 'request' | 'response', message: DescMessage): Record<string, unknown> {
  return {
    // toBinary returns a Uint8Array; grpc-js wants a Buffer, and a stream given anything else hangs silently.
    [`${side}Serialize`]: (value: MessageShape<DescMessage>) => Buffer.from(toBinary(message, value)),
    [`${side}Deserialize`]: (bytes: Buffer) => fromBinary(message, bytes),
  }
}
