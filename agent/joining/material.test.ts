import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPublicKey } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { expect, onTestFinished, test } from 'vitest'
import { AdmittedSchema } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { Admitted } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { hostIdOf } from '../../proto/identity.ts'
import { openAuthority } from '../../trust/certificate-authority.ts'
import { INIT_DEFAULTS, initTrust } from '../../trust/init.ts'
import { loadConfig } from '../config.ts'
import { createCertificateRequest } from '../identity/certificate-request.ts'
import { loadOrMakeKey } from '../identity/identity.ts'
import { openNatsUser } from '../identity/nats-user.ts'
import { natsJwtFor } from '../testing/nats-jwt.ts'
import { takeIn } from './material.ts'
import type { Own } from './material.ts'

const joinAddress = 'fleet.example:8444'

async function open(): Promise<{ dir: string; own: Own; admitted: Admitted }> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-material-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await initTrust({ ...INIT_DEFAULTS, dir: join(dir, 'trust') })
  const read = (name: string): Promise<string> => readFile(join(dir, 'trust/controller', name), 'utf8')
  const authorityPem = await read('ca.pem')
  const authority = await openAuthority({ keyPem: await read('ca.key'), certificatePem: authorityPem })
  const identityDir = join(dir, 'identity')
  const nats = await openNatsUser(identityDir)
  const key = await loadOrMakeKey(identityDir)
  const hostId = hostIdOf(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  const request = createCertificateRequest(key, hostId)
  const { certificatePem } = await authority.issueHost(request, 60_000)
  const admitted = create(AdmittedSchema, {
    certificatePem,
    certificateAuthorityPem: authorityPem,
    trustBundles: [Buffer.from((await read('trust.jsonl')).trim())],
    natsUserJwt: natsJwtFor(nats.publicKey),
    hostName: 'till-1',
    controllerAddress: 'fleet.example:8443',
    natsUrl: 'nats://fleet.example:4222',
  })
  return { dir, own: { hostId, key, nats, authorityPem }, admitted }
}

test('a host without a configuration gets one that an agent can read, for itself alone', async () => {
  const { dir, own, admitted } = await open()
  const place = {
    identityDir: join(dir, 'identity'),
    newConfigPath: join(dir, 'etc/agent.yaml'),
    joinAddress,
  }
  await takeIn(admitted, own, place)
  const config = await loadConfig(place.newConfigPath)
  expect(config).toMatchObject({
    name: 'till-1',
    identityDir: place.identityDir,
    controller: { address: 'fleet.example:8443', joinAddress },
    nats: { url: 'nats://fleet.example:4222' },
    host: { driver: 'container-snap' },
  })
  expect((await stat(place.newConfigPath)).mode & 0o777).toBe(0o600)
})

test('nothing is written when the controller cannot say where hosts find it, or the certificate is for another', async () => {
  const { dir, own, admitted } = await open()
  const identityDir = join(dir, 'identity')
  const before = await readdir(identityDir)
  const nowhere = { ...admitted, natsUrl: '' }
  await expect(
    takeIn(nowhere, own, { identityDir, newConfigPath: join(dir, 'agent.yaml'), joinAddress }),
  ).rejects.toThrow('has no join.natsUrl')
  const other = { ...own, hostId: 'a'.repeat(26) }
  await expect(takeIn(admitted, other, { identityDir, newConfigPath: null, joinAddress })).rejects.toThrow(
    'and this is',
  )
  const foreign = { ...admitted, certificatePem: admitted.certificateAuthorityPem }
  await expect(takeIn(foreign, own, { identityDir, newConfigPath: null, joinAddress })).rejects.toMatchObject(
    {
      code: 'IdentityInvalid',
    },
  )
  expect(await readdir(identityDir)).toEqual(before)
})
