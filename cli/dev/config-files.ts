import { join } from 'node:path'
import { stringify } from 'yaml'
import type { PushedImage } from './image.ts'
import type { DevLayout, HostLayout } from './layout.ts'
import type { Ports } from './ports.ts'

export function registryAddress(ports: Ports): string {
  return `127.0.0.1:${ports.registry}`
}

export function natsConfig(layout: DevLayout, ports: Ports): string {
  return `server_name: bootfleet-dev
listen: 127.0.0.1:${ports.nats}
http: 127.0.0.1:${ports.natsMonitor}
jetstream {
  store_dir: ${JSON.stringify(join(layout.natsDir, 'data'))}
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 1GB
}
`
}

export function registryConfig(layout: DevLayout, ports: Ports): string {
  return stringify({
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(layout.registryDir, 'data') } },
    http: { addr: registryAddress(ports) },
  })
}

/** Tells podman's tools that this one registry, on the loopback, speaks plain HTTP. */
export function registriesConf(ports: Ports): string {
  return `unqualified-search-registries = []

[[registry]]
location = "${registryAddress(ports)}"
insecure = true
`
}

export function controllerConfig(layout: DevLayout, ports: Ports): string {
  return stringify({
    stateDir: layout.controllerState,
    git: { url: `file://${layout.gitDir}`, branch: 'main', path: '.', pollInterval: '2s' },
    registry: { plainHttpHosts: [registryAddress(ports)] },
    nats: { url: `nats://127.0.0.1:${ports.nats}`, monitorUrl: `http://127.0.0.1:${ports.natsMonitor}` },
    grpc: { listen: `127.0.0.1:${ports.controller}` },
    pki: { dir: layout.pkiDir },
    log: { level: 'info' },
  })
}

export type HostKind =
  | { readonly kind: 'disk'; readonly device: string; readonly containerSnap: string }
  | { readonly kind: 'simulated'; readonly image: PushedImage; readonly version: string }

export function agentConfig(host: HostLayout, ports: Ports, driver: HostKind): string {
  return stringify({
    name: host.name,
    stateDir: host.agentState,
    identityDir: host.identity,
    controller: { address: `127.0.0.1:${ports.controller}` },
    nats: { url: `nats://127.0.0.1:${ports.nats}` },
    host: hostSection(host, driver),
    log: { level: 'info' },
  })
}

function hostSection(host: HostLayout, driver: HostKind): unknown {
  switch (driver.kind) {
    case 'disk': {
      const { sysroot, runDir } = host
      return {
        driver: 'container-snap',
        command: driver.containerSnap,
        sysroot,
        device: driver.device,
        runDir,
      }
    }
    case 'simulated': {
      const { digest } = driver.image
      return { driver: 'simulated', image: { digest, version: driver.version }, failing: [simulatedFailure] }
    }
  }
}

/** A simulated host has no files to check, so one version stands for the broken one. */
export const simulatedFailure = '3.0.0'

export function contextFile(layout: DevLayout, ports: Ports): string {
  const context = {
    address: `127.0.0.1:${ports.controller}`,
    ca: join(layout.pkiDir, 'ca.pem'),
    certificate: join(layout.pkiDir, 'operator.pem'),
    key: join(layout.pkiDir, 'operator.key'),
    devStateDir: layout.stateDir,
  }
  return `${JSON.stringify(context, null, 2)}\n`
}
