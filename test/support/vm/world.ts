import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startController } from '../controller.ts'
import type { Controller } from '../controller.ts'
import { createGitRepository } from '../git-repository.ts'
import type { GitRepository } from '../git-repository.ts'
import { startNatsServer } from '../nats-server.ts'
import { startRegistry } from '../registry.ts'
import { enrolHost } from './enrolment.ts'
import { adoptDebian, installDebian } from './debian-machine.ts'
import type { FirmwareKind } from './grub-machine.ts'
import { openHostImages } from './host-images.ts'
import type { HostImages } from './host-images.ts'
import { createMachine, machineArguments } from './machine.ts'
import type { Machine } from './machine.ts'

const exec = promisify(execFile)
const containerSnap = join(import.meta.dirname, '../../../dist/container-snap')
/** QEMU's user network: this machine's loopback, seen from a guest. */
const outside = '10.0.2.2'

export type World = {
  readonly images: HostImages
  /** As git names it; a guest finds it at another address. */
  readonly repository: string
  /** For a guest, as a file of registries.conf.d. A machine gets it from its firmware, where systemd-tmpfiles may read that. */
  readonly registrySettings: string
  readonly git: GitRepository
  readonly controller: Controller
  /** Install an image to a new disk, with the identity of an enrolled host. The machine is still off. */
  machine(name: string, digest: string): Promise<Machine>
  /** A Debian machine with GRUB that was installed as everybody does. The machine is still off. */
  debian(name: string, firmware: FirmwareKind): Promise<DebianMachine>
  close(): Promise<void>
}

export type DebianMachine = Machine & {
  /** As an enrolled host, while it is off: the next boot is that of the image. */
  adopt(digest: string): Promise<void>
}

export type WorldOptions = {
  /** Debian's, in the system of every machine. Default: none but what a host needs. */
  readonly packages?: readonly string[]
}

/** Controller, NATS, git and registry on the loopback, and machines that know them from the outside. */
export async function openWorld({ packages = [] }: WorldOptions = {}): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-vm-'))
  const ends: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end()
  }
  try {
    const world = await open(dir, packages, (end) => ends.push(end))
    return { ...world, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function open(
  dir: string,
  packages: readonly string[],
  atEnd: (end: () => Promise<unknown>) => void,
): Promise<Omit<World, 'close'>> {
  const registry = await startRegistry(dir)
  atEnd(() => registry.stop())
  const repository = `${registry.address}/os`
  const nats = await startNatsServer()
  atEnd(() => nats.stop())
  const git = createGitRepository(dir)
  git.commit({ 'README.txt': 'machines' }, 'Begin')
  const controller = await startController({ dir, gitUrl: git.url, nats, plainHttpHosts: [registry.address] })
  atEnd(() => controller.stop())
  atEnd(async () => controller.operator.close())
  const images = await openHostImages(join(dir, 'images'), repository, packages)
  atEnd(() => images.close())
  const material = async (name: string): Promise<{ config: string; identity: string }> => {
    const identity = join(dir, `${name}-identity`)
    await enrolHost(identity, { name, labels: { site: 'lab' }, controller })
    const config = join(dir, `${name}-agent.json`)
    await writeFile(config, agentConfig(name, controller, nats))
    return { config, identity }
  }
  const registrySettings = settingsOf(registry.address)
  const tmpfiles = asTmpfiles(registrySettings)
  const machine = async (name: string, digest: string): Promise<Machine> => {
    const { config, identity } = await material(name)
    const disk = join(dir, `${name}.raw`)
    const image = `docker://${repository}@${digest}`
    await install(dir, { image, disk, name, config, identity, registry: registry.address })
    const made = await createMachine({ dir, name, disk, tmpfiles, firmware: 'uefi', loader: 'systemd-boot' })
    atEnd(() => made.cutPower())
    return made
  }
  const debian = async (name: string, firmware: FirmwareKind): Promise<DebianMachine> => {
    const disk = await installDebian({ dir, name, firmware, images, ...(await material(name)) })
    const made = await createMachine({ dir, name, disk: disk.path, tmpfiles, firmware, loader: 'grub' })
    atEnd(() => made.cutPower())
    const registries = await registriesConf(dir, registry.address)
    const adopt = async (digest: string): Promise<void> =>
      adoptDebian({ disk, firmware, image: `${repository}@${digest}`, registries })
    return { ...made, adopt }
  }
  return { images, repository, registrySettings, git, controller, machine, debian }
}

function fromInside(address: string): string {
  return address.replace('127.0.0.1', outside)
}

function agentConfig(name: string, controller: Controller, nats: { readonly url: string }): string {
  return JSON.stringify({
    name,
    controller: { address: fromInside(controller.address) },
    nats: { url: fromInside(nats.url) },
    host: { driver: 'container-snap' },
  })
}

/** The registry has one name in git, and the guest another way to it. */
function settingsOf(address: string): string {
  return `[[registry]]\nprefix = "${address}"\nlocation = "${fromInside(address)}"\ninsecure = true\n`
}

/** As tmpfiles.d(5) lines. */
function asTmpfiles(settings: string): string {
  const folder = '/etc/containers/registries.conf.d'
  return `d ${folder} 0755\nf+ ${folder}/lab.conf 0644 - - - ${settings.replaceAll('\n', '\\n')}\n`
}

type Installation = {
  readonly image: string
  readonly disk: string
  readonly name: string
  readonly config: string
  readonly identity: string
  readonly registry: string
}

async function install(
  dir: string,
  { image, disk, name, config, identity, registry }: Installation,
): Promise<void> {
  const registries = await registriesConf(dir, registry)
  const place = ['--size', '4G', '--esp-size', '256M', '--hostname', name]
  const material = ['--agent-config', config, '--identity', identity]
  const kernel = machineArguments.flatMap((argument) => ['--karg', argument])
  await exec(containerSnap, ['install', 'to-disk', image, disk, ...place, ...material, ...kernel], {
    env: { ...process.env, CONTAINERS_REGISTRIES_CONF: registries },
    timeout: 600_000,
  })
}

async function registriesConf(dir: string, registry: string): Promise<string> {
  const path = join(dir, 'registries.conf')
  await writeFile(path, `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`)
  return path
}
