import { mkdir } from 'node:fs/promises'
import type { OperatorClient } from '../client.ts'
import type { Terminal } from '../terminal.ts'
import { agentConfig } from './config-files.ts'
import type { HostKind } from './config-files.ts'
import { enrol } from './enrolment.ts'
import { closeHostDisk, openHostDisk } from './host-disk.ts'
import type { PushedImage } from './image.ts'
import { hostLayout } from './layout.ts'
import type { DevLayout, HostLayout } from './layout.ts'
import type { Ports } from './ports.ts'
import { run } from './process.ts'
import { writeWhole } from './state-file.ts'
import { openService } from './supervisor.ts'
import type { Service } from './supervisor.ts'
import { findProgram } from './tools.ts'
import type { Tools } from './tools.ts'

export const baseVersion = '0.0.0'

export type FleetOptions = {
  readonly layout: DevLayout
  readonly ports: Ports
  readonly tools: Tools
  readonly image: PushedImage
  readonly client: OperatorClient
  readonly terminal: Terminal
  readonly env: Readonly<Record<string, string>>
}

/** One host: its disk, its agent, its certificate. */
export async function openHost(options: FleetOptions, name: string): Promise<Service> {
  const { layout, ports, tools, terminal, client } = options
  const host = hostLayout(layout, name)
  for (const dir of [host.dir, host.agentState, host.identity, host.runDir])
    await mkdir(dir, { recursive: true })
  const driver = await openDriver(options, host)
  await writeWhole(host.config, agentConfig(host, ports, driver))
  const service = await openService(
    {
      name,
      command: process.execPath,
      args: [await findProgram(tools, 'bootfleet-agent'), 'run', '--config', host.config],
      env: options.env,
    },
    layout,
    terminal.note,
  )
  const close = async (): Promise<void> => {
    await service.stop()
    if (driver.kind === 'disk') await closeHostDisk(host)
  }
  try {
    const labels = { site: 'dev', ring: name === 'host-1' ? 'canary' : 'rest' }
    await enrol(host, { client, labels, signal: terminal.signal })
  } catch (error) {
    await close()
    throw error
  }
  return { name, stop: close }
}

async function openDriver(options: FleetOptions, host: HostLayout): Promise<HostKind> {
  const { tools, image, terminal } = options
  if (tools.simulatedBecause !== null) return { kind: 'simulated', image, version: baseVersion }
  const containerSnap = await findProgram(tools, 'container-snap')
  const { signal } = terminal
  try {
    const { device } = await openHostDisk(host, {
      image,
      signal,
      containerSnap: (sysroot, args) =>
        run(containerSnap, ['--sysroot', sysroot, ...args], { signal, env: options.env }),
    })
    return { kind: 'disk', device, containerSnap }
  } catch (error) {
    await closeHostDisk(host)
    throw error
  }
}
