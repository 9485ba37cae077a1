import { join } from 'node:path'
import { stringify } from 'yaml'
import { natsServerConfig } from '../../trust/nats-server-config.ts'
import type { PushedImage } from './image.ts'
import type { DevLayout, HostLayout } from './layout.ts'
import type { Ports } from './ports.ts'

export function registryAddress(ports: Ports): string {
  return `127.0.0.1:${ports.registry}`
}

/** As in production, but for its places. */
export function natsConfig(layout: DevLayout, ports: Ports): string {
  return natsServerConfig({
    dir: layout.natsDir,
    listen: `127.0.0.1:${ports.nats}`,
    monitor: `127.0.0.1:${ports.natsMonitor}`,
    storeDir: layout.natsStore,
  })
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
    join: {
      listen: '127.0.0.1:0',
      controllerAddress: `127.0.0.1:${ports.controller}`,
      natsUrl: `nats://127.0.0.1:${ports.nats}`,
    },
    // What `bootfleet web` shows.
    web: { listen: '127.0.0.1:0' },
    pki: { dir: layout.pkiDir },
    // So that an analysis can be tried against something that listens on this machine.
    analysis: { http: { hosts: ['127.0.0.1', 'localhost'] } },
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
    ca: join(layout.operatorDir, 'ca.pem'),
    certificate: join(layout.operatorDir, 'operator.pem'),
    key: join(layout.operatorDir, 'operator.key'),
    devStateDir: layout.stateDir,
  }
  return `${JSON.stringify(context, null, 2)}\n`
}
