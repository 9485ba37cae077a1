import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { ControllerError } from './errors.ts'
import { startHttpServer } from './http.ts'
import type { HttpRoute, HttpServer, HttpServerOptions } from './http.ts'
import { createPacedWake } from './paced-wake.ts'
import type { SourceConfig, WebhooksConfig } from './source-config.ts'
import type { SourcesLoop } from './sources-loop.ts'
import { repositoryKey } from './sources/git-url.ts'
import type { Push } from './webhooks/forges.ts'
import { forgeRoute, registryRoute } from './webhooks/receivers.ts'
import type { Wakes } from './webhooks/receivers.ts'
import { readSecret } from './webhooks/secrets.ts'

export type WebhookServerOptions = {
  readonly webhooks: WebhooksConfig
  readonly sources: readonly SourceConfig[]
  /** Null while another controller leads. */
  readonly current: () => Pick<SourcesLoop, 'wake' | 'wakeImages' | 'follows'> | null
  readonly logger: Logger
  /** Between two polls that webhooks cause. */
  readonly paceMs?: number
}

const PACE_MS = 5_000
const FORGES = ['github', 'gitlab', 'gitea', 'forgejo'] as const

/** Takes deliveries of forges and registries. They wake what polls; what they say is believed in nothing. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<HttpServer> {
  const { webhooks, sources, current, logger, paceMs = PACE_MS } = options
  const bySource = sources.map((source) => ({
    source,
    paced: createPacedWake(paceMs, () => current()?.wake(source.name)),
  }))
  const images = createPacedWake(paceMs, () => current()?.wakeImages())
  const wakes: Wakes = {
    onPush(push) {
      if (current() === null) return false
      for (const { source, paced } of bySource) if (concerns(push, source)) paced.wake()
      return true
    },
    onImages(repositories) {
      const leading = current()
      if (leading === null) return false
      if (repositories.some((repository) => leading.follows(repository))) images.wake()
      return true
    },
  }
  const server = await startHttpServer({
    listen: webhooks.listen,
    tls: await tlsOf(webhooks),
    routes: await routesOf(webhooks, wakes, logger),
    logger,
  })
  return {
    address: server.address,
    async close() {
      await server.close()
      for (const { close } of [images, ...bySource.map(({ paced }) => paced)]) close()
    },
  }
}

/** By any address of the repository; of another branch, there is nothing to look for. */
function concerns({ urls, ref }: Push, source: SourceConfig): boolean {
  if (source.kind !== 'git') return false
  const own = new Set([source.url, ...source.webhookUrls].map(repositoryKey))
  const isOurs = urls.some((url) => own.has(repositoryKey(url)) && repositoryKey(url) !== '')
  return isOurs && (!ref.startsWith('refs/heads/') || ref === `refs/heads/${source.branch}`)
}

/** Every secret is read once now, so that a wrong file name is found at the start. */
async function routesOf(
  webhooks: WebhooksConfig,
  wakes: Wakes,
  logger: Logger,
): Promise<ReadonlyMap<string, HttpRoute>> {
  const routes = new Map<string, HttpRoute>()
  const now = (): number => performance.now()
  for (const name of FORGES) {
    const secretFile = webhooks[name]?.secretFile
    if (secretFile === undefined) continue
    await readSecret(secretFile)
    routes.set(`/webhooks/${name}`, forgeRoute(name, { secretFile, logger, now }, wakes.onPush))
  }
  if (webhooks.registry !== undefined) {
    const { secretFile } = webhooks.registry
    await readSecret(secretFile)
    routes.set('/notifications/registry', registryRoute({ secretFile, logger, now }, wakes.onImages))
  }
  return routes
}

async function tlsOf({ tls }: WebhooksConfig): Promise<HttpServerOptions['tls']> {
  if (tls === undefined) return null
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      const message = `reading ${path} for the webhooks' TLS: ${cause.code ?? cause.message}; correct webhooks.tls`
      throw new ControllerError('ConfigInvalid', message, { cause })
    })
  const [certificatePem, keyPem] = await Promise.all([read(tls.certificateFile), read(tls.keyFile)])
  return { certificatePem, keyPem }
}
