import { join } from 'node:path'
import { ACCOUNT_SIGNER_FILE, PROVISIONER_SIGNER_FILE } from '../../trust/nats-files.ts'
import { NATS_ACCOUNTS_FILE } from '../../trust/nats-server-config.ts'

/** Where everything of one dev lives. Short names: unix sockets may be put below. */
export type DevLayout = ReturnType<typeof devLayout>
export type HostLayout = ReturnType<typeof hostLayout>

export function devLayout(stateDir: string) {
  const at = (...parts: string[]): string => join(stateDir, ...parts)
  return {
    stateDir,
    ports: at('ports.json'),
    context: at('context.json'),
    base: at('base-image.json'),
    pids: at('pids'),
    logs: at('logs'),
    natsStore: at('nats', 'data'),
    natsDir: at('trust', 'nats'),
    natsConfig: at('trust', 'nats', 'dev.conf'),
    natsAccounts: at('trust', 'nats', NATS_ACCOUNTS_FILE),
    natsAccountsKey: at('trust', 'root', ACCOUNT_SIGNER_FILE),
    natsProvisioner: at('trust', 'provisioner', PROVISIONER_SIGNER_FILE),
    registryDir: at('registry'),
    registryConfig: at('registry', 'config.yml'),
    registriesConf: at('registries.conf'),
    gitDir: at('git', 'fleet.git'),
    trustDir: at('trust'),
    pkiDir: at('trust', 'controller'),
    operatorDir: at('trust', 'operator'),
    releaseKey: at('trust', 'release', 'release.key'),
    controllerState: at('controller'),
    controllerConfig: at('controller.yaml'),
    build: at('build'),
    hosts: at('hosts'),
  }
}

export function hostLayout(dev: DevLayout, name: string) {
  const at = (...parts: string[]): string => join(dev.hosts, name, ...parts)
  return {
    name,
    dir: at(),
    disk: at('disk.btrfs'),
    seeded: at('seeded.json'),
    sysroot: at('sysroot'),
    agentState: at('agent'),
    identity: at('identity'),
    runDir: at('run'),
    config: at('agent.yaml'),
  }
}

export function hostNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `host-${index + 1}`)
}
