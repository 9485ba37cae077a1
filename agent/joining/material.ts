import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Admitted } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { openChain } from '../../proto/trust-chain.ts'
import { STATE_DIR, parseConfig } from '../config.ts'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import { CERTIFICATE_FILE, readCertificate } from '../identity/identity.ts'
import type { NatsUser } from '../identity/nats-user.ts'
import { chainText, readTrustMaterial } from '../identity/trust-material.ts'

export type Place = {
  readonly identityDir: string
  /** Where the agent's configuration is to be made; null: there is one. */
  readonly newConfigPath: string | null
  /** Where it enrolled, and comes back; for that configuration. */
  readonly joinAddress: string
}

export type Own = {
  readonly hostId: string
  readonly key: KeyObject
  readonly nats: NatsUser
  /** The CA that the token named. */
  readonly authorityPem: string
}

/**
 * Puts in place what `bootfleet enrol host` would. Everything is judged before anything is written, and the
 * certificate, which the agent waits for, comes last.
 * @throws AgentError IdentityInvalid, ConfigInvalid.
 */
export async function takeIn(admitted: Admitted, own: Own, place: Place): Promise<void> {
  const { identityDir, newConfigPath } = place
  const { certificatePem, certificateAuthorityPem, trustBundles, natsUserJwt } = admitted
  judgeCertificate(certificatePem, own, identityDir)
  judgeTrust(admitted, own)
  await judgeKnownTrust(trustBundles, identityDir)
  const config = newConfigPath === null ? null : configText(admitted, place)
  // First, for it judges what it writes.
  await own.nats.take(natsUserJwt)
  await writeDurably(join(identityDir, 'ca.pem'), certificateAuthorityPem, 0o644)
  await writeDurably(join(identityDir, 'trust.jsonl'), chainText(trustBundles), 0o644)
  if (newConfigPath !== null && config !== null) await writeDurably(newConfigPath, config, 0o600)
  await writeDurably(join(identityDir, CERTIFICATE_FILE), certificatePem, 0o644)
}

function judgeCertificate(pem: string, { hostId, key }: Own, directory: string): void {
  const found = readCertificate(pem, key, directory)
  const nowMs = Date.now()
  if (found.hostId !== hostId)
    throw unfit(`the certificate is for host ${found.hostId}, and this is ${hostId}`)
  if (nowMs >= found.notBeforeMs && nowMs < found.notAfterMs) return
  throw unfit('the certificate is not in force by the clock of this host; check the clock')
}

/** From here on the bundles say who is the controller, so they must agree with the token. */
function judgeTrust(admitted: Admitted, { authorityPem }: Own): void {
  const opened = openChain(admitted.trustBundles)
  if (opened.kind === 'refused') throw unfit(`its trust bundles: ${opened.detail}`)
  const believed = opened.bundle.content.certificateAuthorities.map((pem) => new X509Certificate(pem))
  const isBelieved = (pem: string): boolean =>
    believed.some((one) => one.fingerprint256 === fingerprintOf(pem))
  if (!isBelieved(authorityPem)) throw unfit('its trust bundles do not name the CA of the token')
  if (!isBelieved(admitted.certificateAuthorityPem)) throw unfit('its trust bundles do not name its CA')
}

function fingerprintOf(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256
  } catch (cause) {
    throw unfit('it holds no CA certificate', cause)
  }
}

/** What is there already, from the image or a person, is not given up for what a controller says. */
async function judgeKnownTrust(bundles: readonly Uint8Array[], directory: string): Promise<void> {
  const known = await readTrustMaterial(directory)
  const [own] = known?.kind === 'bundles' ? known.envelopes : []
  if (own === undefined || Buffer.compare(own, bundles[0] ?? new Uint8Array()) === 0) return
  throw unfit(`its trust bundles do not begin with the one in ${directory}, which this host believes`)
}

function configText({ controllerAddress, natsUrl, hostName }: Admitted, place: Place): string {
  const missing = [
    controllerAddress === '' ? 'join.controllerAddress' : '',
    natsUrl === '' ? 'join.natsUrl' : '',
  ].filter((name) => name !== '')
  if (missing.length > 0) {
    throw new AgentError(
      'ConfigInvalid',
      `making ${place.newConfigPath}: the controller's configuration has no ${missing.join(' and no ')}, so it cannot say where to find what hosts need; write ${place.newConfigPath} by hand and run this again`,
    )
  }
  const settings = {
    name: hostName,
    ...(place.identityDir === join(STATE_DIR, 'identity') ? {} : { identityDir: place.identityDir }),
    controller: { address: controllerAddress, joinAddress: place.joinAddress },
    nats: { url: natsUrl },
    host: { driver: 'container-snap' },
  }
  const text = stringify(settings)
  parseConfig(text, 'the answer of the controller')
  return text
}

function unfit(found: string, cause?: unknown): AgentError {
  return new AgentError(
    'IdentityInvalid',
    `taking the answer of the controller: ${found}; nothing was written`,
    {
      cause,
    },
  )
}
