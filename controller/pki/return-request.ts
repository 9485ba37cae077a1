import { hostIdOf } from '../../proto/identity.ts'
import { natsUserOfReturn } from '../../proto/return-subject.ts'
import { readRequest } from '../../trust/certificate-authority.ts'
import { ControllerError } from '../errors.ts'
import { refuseRequest } from './pki-directory.ts'

export type ReturnRequestContent = { readonly hostId: string; readonly natsUserPublicKey: string }

/**
 * Who comes back, and its NATS user, both by the signature of its key.
 * @throws ControllerError RequestInvalid, also for a request that was made to enrol or renew.
 */
export async function readReturnRequest(certificateRequestPem: string): Promise<ReturnRequestContent> {
  const { publicKey, subjectName } = await readRequest(certificateRequestPem).catch(refuseRequest)
  const [commonName = ''] = subjectName.getField('CN')
  const natsUserPublicKey = natsUserOfReturn(commonName)
  if (natsUserPublicKey !== null)
    return { hostId: hostIdOf(new Uint8Array(publicKey.rawData)), natsUserPublicKey }
  throw new ControllerError(
    'RequestInvalid',
    'coming back: the certificate request was made for something else; it names no NATS user',
  )
}
