import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { status } from '@grpc/grpc-js'
import type { Server, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'
import { serviceError } from './status.ts'

/** Answers the standard grpc.health.v1 check for the server as a whole (the empty service name). */
export type Health = {
  readonly setServing: (serving: boolean) => void
  addTo(server: Server): void
}

/** An object, because grpc-js takes an empty string for a request that never came. */
type Request = { readonly service: string }

const SERVING = 1
const NOT_SERVING = 2

/**
 * Written here because the published implementation reads a .proto file beside itself at start, which a program
 * of one bundled file has not. Watch is left out: clients take UNIMPLEMENTED as "check by calling".
 */
export function createHealth(): Health {
  let answer = NOT_SERVING
  return {
    setServing(serving) {
      answer = serving ? SERVING : NOT_SERVING
    },
    addTo(server) {
      const check = {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: encodeRequest,
        requestDeserialize: decodeRequest,
        responseSerialize: encodeNumber,
        responseDeserialize: decodeNumber,
      }
      server.addService(
        { check },
        {
          check(call: ServerUnaryCall<Request, number>, done: sendUnaryData<number>) {
            if (call.request.service === '') done(null, answer)
            else done(serviceError(status.NOT_FOUND, 'only the server as a whole is checked'))
          },
        },
      )
    },
  }
}

function encodeRequest({ service }: Request): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.LengthDelimited).string(service).finish())
}

function encodeNumber(value: number): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.Varint).int32(value).finish())
}

function decodeRequest(bytes: Buffer): Request {
  let service = ''
  eachField(bytes, (reader) => {
    service = reader.string()
  })
  return { service }
}

function decodeNumber(bytes: Buffer): number {
  let value = 0
  eachField(bytes, (reader) => {
    value = reader.int32()
  })
  return value
}

/** Calls back for field 1, which is all that these messages have; whatever else may follow it is not read. */
function eachField(bytes: Buffer, read: (reader: BinaryReader) => void): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field] = reader.tag()
    if (field !== 1) return
    read(reader)
  }
}
