import { agentBackend, operatorBackend } from './backends.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { Noticed } from './audit/noticed.ts'
import type { EngineLoop } from './engine-loop.ts'
import { ControllerError } from './errors.ts'
import { createAgentService } from './grpc/agent-service.ts'
import { createOperatorService } from './grpc/operator-service.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import { startGrpcServer } from './grpc/server.ts'
import type { GrpcServer } from './grpc/server.ts'
import { openHostEnrolments } from './host-enrolments.ts'
import { openHostJoins } from './host-joins.ts'
import type { HttpServer } from './http.ts'
import { startJoining } from './joining.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import type { Presence } from './presence.ts'
import { writeAddress, writeWebAddress, writeWebhookAddress } from './state-directory.ts'
import { webBackend } from './web-page.ts'
import { startWebServer } from './web/web-server.ts'
import type { WebServer } from './web/web-server.ts'
import { startWebhookServer } from './webhook-server.ts'

type Listeners = Pick<GrpcServer, 'setServing' | 'reloadTls' | 'close'>

/** Everything that listens. One that fails must not leave the others open. */
export async function startListeners(
  options: ControllerOptions,
  parts: ServerParts,
  current: () => Leading['sources'] | null,
): Promise<Listeners> {
  const { config, logger } = options
  const hostEnrolments = openHostEnrolments(options, parts.leading)
  const hosts = openHostJoins(options, { ...parts, hostEnrolments })
  let web: WebServer | null = null
  const operators: OperatorBackend = {
    ...operatorBackend({ ...parts, hostEnrolments, tokens: hosts.tokens, options }),
    listen: parts.feed.listen,
    webPort: () => web?.port ?? 0,
  }
  const server = await startServer(options, parts, operators)
  const others: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const other of others) await other.close()
    await server.close()
  }
  try {
    await writeAddress(config.stateDir, server.address)
    logger.info({ address: server.address }, 'listening')
    const joining = await startJoining(options, { audit: parts.audit, hosts: hosts.service })
    if (joining !== null) others.push(joining)
    const webhooks = await startWebhooks(options, current)
    if (webhooks !== null) others.push(webhooks)
    web = await startWeb(options, operators)
    if (web !== null) others.push(web)
    const reloadTls = (): void => {
      for (const each of [server, joining, web]) each?.reloadTls()
    }
    return { setServing: (serving) => server.setServing(serving), reloadTls, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startWebhooks(
  { config, logger }: ControllerOptions,
  current: () => Leading['sources'] | null,
): Promise<HttpServer | null> {
  if (config.webhooks === undefined) return null
  const { webhooks, sources } = config
  const server = await startWebhookServer({ webhooks, sources, current, logger })
  await writeWebhookAddress(config.stateDir, server.address)
  logger.info({ address: server.address }, 'listening for webhooks')
  return server
}

async function startWeb(options: ControllerOptions, operators: OperatorBackend): Promise<WebServer | null> {
  const { config, logger, page } = options
  if (config.web === undefined) return null
  if (page === null) {
    const message = 'serving the web page: this program was built without it; run one that "make build" made'
    throw new ControllerError('ConfigInvalid', message)
  }
  const server = await startWebServer({
    listen: config.web.listen,
    tls: () => operatorTls(options),
    backend: webBackend(operators, logger),
    page,
    logger,
  })
  await writeWebAddress(config.stateDir, server.address)
  logger.info({ address: server.address }, 'listening for the web page')
  return server
}

type ServerParts = {
  readonly leading: () => Leading
  readonly engineNow: () => EngineLoop | null
  readonly presence: Presence
  readonly feed: ChangeFeed
  readonly audit: Noticed
}

function startServer(
  options: ControllerOptions,
  parts: ServerParts,
  operators: OperatorBackend,
): Promise<GrpcServer> {
  const { config, logger } = options
  const { engineNow, feed, leading, presence } = parts
  const agents = agentBackend({ leading, presence, changed: feed.changed, engineNow, options })
  return startGrpcServer({
    listen: config.grpc.listen,
    tls: () => operatorTls(options),
    agentService: createAgentService(agents, logger),
    operatorService: createOperatorService(operators, logger),
  })
}

function operatorTls({ pki, trustFile }: ControllerOptions) {
  return { ...pki.server, clientAuthoritiesPem: trustFile.authorities().join('\n') }
}
