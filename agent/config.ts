import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { parse as parseYaml } from 'yaml'
import * as z from 'zod'
import { Digest } from '../proto/plan.ts'
import { AgentError } from './errors.ts'

/** Where the agent keeps what it knows unless the configuration says otherwise. */
export const STATE_DIR = '/var/lib/bootfleet/agent'

const AbsolutePath = z.string().refine(isAbsolute, 'must be an absolute path')
const Address = z.string().regex(/^[^\s/]+:[0-9]{1,5}$/, 'must be HOST:PORT')

const ContainerSnapHost = z
  .strictObject({
    driver: z.literal('container-snap'),
    /** Default: found by PATH. */
    command: z.string().min(1).default('container-snap'),
    /** Run the host in a btrfs mounted here instead of on this machine; needs device and runDir. */
    sysroot: AbsolutePath.optional(),
    device: AbsolutePath.optional(),
    runDir: AbsolutePath.optional(),
  })
  .transform((host, context) => {
    const { driver, command, sysroot, device, runDir } = host
    const given = [sysroot, device, runDir].filter((path) => path !== undefined).length
    if (given !== 0 && given !== 3) {
      context.addIssue({ code: 'custom', message: 'sysroot, device and runDir go together' })
    }
    const whole = sysroot !== undefined && device !== undefined && runDir !== undefined
    return {
      driver,
      command,
      env: registryEnvironment(),
      ...(whole ? { sysroot: { sysroot, device, runDir } } : {}),
    }
  })

const SimulatedHost = z
  .strictObject({
    driver: z.literal('simulated'),
    /** What a new host runs. */
    image: z.strictObject({ digest: Digest, manifestDigest: Digest.optional(), version: z.string() }),
    /** Versions whose checks fail. */
    failing: z.array(z.string()).default([]),
    /** Versions that have no network. */
    offline: z.array(z.string()).default([]),
    /** Versions that do not come up. */
    unbootable: z.array(z.string()).default([]),
    /** Milliseconds per operation. */
    stepDelay: z.int().nonnegative().default(100),
  })
  .transform(({ image, stepDelay, ...host }) => ({
    ...host,
    image: { ...image, manifestDigest: image.manifestDigest ?? image.digest },
    stepDelayMs: stepDelay,
  }))

const ReportOnlyHost = z
  .strictObject({
    driver: z.literal('report-only'),
    /** Between two looks at what runs. */
    lookEverySeconds: z.int().min(10).max(86_400).default(300),
  })
  .transform(({ driver, lookEverySeconds }) => ({ driver, lookEveryMs: lookEverySeconds * 1000 }))
/** Of a host without a configuration. */
export const KEYS_UNSET = { seal: 'auto', tpm: '/dev/tpmrm0' } as const

const Keys = z.strictObject({
  /** Whether private keys are kept sealed by the TPM. Default: `auto`; `never` where the host is not this machine. */
  seal: z.enum(['auto', 'never', 'require']).optional(),
  /** A device, or what the TPM software stack takes in its place, as `swtpm:path=/run/tpm`. */
  tpm: z
    .string()
    .regex(/^(\/|[a-z]+:)/, 'must be an absolute path, or DRIVER:SETTINGS')
    .default(KEYS_UNSET.tpm),
})

const HOUR_MS = 60 * 60 * 1000
const Plans = z
  .strictObject({
    /** How old the newest plan may be before the host says so; the controller signs one at least every 13 hours. */
    staleAfterHours: z.int().min(24).max(8760).default(48),
  })
  .transform(({ staleAfterHours }) => ({ staleAfterMs: staleAfterHours * HOUR_MS }))

const Config = z
  .strictObject({
    /** For people; default: this machine's host name. */
    name: z.string().min(1).max(253).optional(),
    stateDir: AbsolutePath.default(STATE_DIR),
    /** Default: `identity` in stateDir. */
    identityDir: AbsolutePath.optional(),
    controller: z.strictObject({
      address: Address,
      serverName: z.string().min(1).optional(),
      /** Where this host comes back when its certificate counts no more; without it a person must enrol it again. */
      joinAddress: Address.optional(),
    }),
    /** Needed by every host that follows plans. */
    nats: z.strictObject({ url: z.string().min(1) }).optional(),
    plans: Plans.prefault({}),
    identity: Keys.prefault({}),
    host: z.discriminatedUnion('driver', [ContainerSnapHost, SimulatedHost, ReportOnlyHost]),
    log: z
      .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') })
      .prefault({}),
  })
  .transform(({ host, nats, ...config }, context) => {
    const whole = {
      ...config,
      name: config.name ?? hostname(),
      identityDir: config.identityDir ?? join(config.stateDir, 'identity'),
      identity: { ...config.identity, seal: config.identity.seal ?? sealUnset(host) },
    }
    // It follows no plans, so it calls no NATS server, whichever is written.
    if (host.driver === 'report-only') return { ...whole, host, nats: null }
    if (nats !== undefined) return { ...whole, host, nats }
    const message = 'write { url: … }: plans come from there; only driver: report-only needs none'
    context.addIssue({ code: 'custom', path: ['nats'], message })
    return z.NEVER
  })

/** Without `nats` it only reports. */
export type AgentConfig = z.infer<typeof Config>
/** Of hosts that follow plans. */
export type FollowingConfig = Exclude<AgentConfig, { readonly nats: null }>
export type HostConfig = FollowingConfig['host']

/** Simulated hosts and those on a disk mounted here are many on one machine, and may move to another. */
function sealUnset(
  host: z.infer<typeof ContainerSnapHost | typeof SimulatedHost | typeof ReportOnlyHost>,
): 'auto' | 'never' {
  const isThisMachine =
    host.driver === 'container-snap' ? !('sysroot' in host) : host.driver === 'report-only'
  return isThisMachine ? KEYS_UNSET.seal : 'never'
}

/** @throws AgentError ConfigInvalid. */
export async function loadConfig(path: string): Promise<AgentConfig> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new AgentError('ConfigInvalid', `reading the configuration ${path}: ${error.message}`, {
      cause: error,
    })
  })
  return parseConfig(text, path)
}

/**
 * YAML, and so JSON too. `origin` names it in messages.
 * @throws AgentError ConfigInvalid.
 */
export function parseConfig(text: string, origin: string): AgentConfig {
  let document: unknown
  try {
    document = parseYaml(text)
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    throw new AgentError('ConfigInvalid', `reading the configuration ${origin}: ${found}`, { cause: error })
  }
  const parsed = Config.safeParse(document)
  if (parsed.success) return parsed.data
  const found = z.prettifyError(parsed.error)
  throw new AgentError('ConfigInvalid', `reading the configuration ${origin}:\n${found}`)
}

/** Where the tools below container-snap look for registries and credentials. */
export function registryEnvironment(): Record<string, string> {
  const names = [
    'HOME',
    'XDG_RUNTIME_DIR',
    'REGISTRY_AUTH_FILE',
    'CONTAINERS_REGISTRIES_CONF',
    'DOCKER_CONFIG',
  ]
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined || value === '' ? [] : [[name, value]]
    }),
  )
}
