import { readFileSync } from 'node:fs'
import { Client, credentials } from '@grpc/grpc-js'

/* One call with nothing around it but TLS: the bytes of the answer are counted, and not looked at. */

const [address = '', method = '', dir = ''] = process.argv.slice(2)
const pem = (name: string): Buffer => readFileSync(`${dir}/${name}.pem`)
const asBytes = (bytes: Buffer): Buffer => bytes
const client = new Client(address, credentials.createSsl(pem('ca'), pem('key'), pem('certificate')))
const options = { deadline: Date.now() + 60_000 }
client.makeUnaryRequest(method, asBytes, asBytes, Buffer.alloc(0), options, (error, answer) => {
  if (error !== null) throw error
  process.stdout.write(`${answer?.length ?? 0}\n`)
  client.close()
})
