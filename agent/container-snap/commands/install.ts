import { getuid } from 'node:process'
import type { Invocation } from '../arguments.ts'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { SnapError } from '../errors.ts'
import { parseSize, sizeText } from '../install/geometry.ts'
import type { DiskFormat } from '../install/target.ts'
import { formatNames } from '../install/target.ts'
import type { InstallOptions, Installed } from '../install/to-disk.ts'
import { installToDisk } from '../install/to-disk.ts'

const espSizeDefault = '512M'

export async function install(context: Context, call: Invocation, stallMs: number): Promise<string> {
  const [kind, image = '', disk = ''] = call.positionals
  if (kind !== 'to-disk')
    throw new SnapError('usage', `install ${kind ?? ''}: write install to-disk IMAGE DISK`)
  if (getuid?.() !== 0)
    throw new SnapError('refused', `install to ${disk}: mounting needs root; run it as root`)
  const installed = await installToDisk(context, { ...installOptions(call), image, disk, stallMs })
  return context.json ? jsonLine(installed) : plain(installed)
}

function installOptions({ values }: Invocation): Omit<InstallOptions, 'image' | 'disk' | 'stallMs'> {
  const { karg = [], size, format = 'raw' } = values
  return {
    sizeBytes: size === undefined ? null : parseSize('size', size),
    espBytes: parseSize('esp-size', values['esp-size'] ?? espSizeDefault),
    format: parseFormat(format),
    wipe: values.wipe ?? false,
    kernelArguments: karg,
    hostname: values.hostname ?? null,
    agentConfig: values['agent-config'] ?? null,
    identity: values.identity ?? null,
    authorizedKeys: values['root-ssh-authorized-keys'] ?? null,
    progress: values.progress === 'json',
  }
}

function parseFormat(text: string): DiskFormat {
  const format = formatNames.find((name) => name === text)
  if (format !== undefined) return format
  throw new SnapError('usage', `--format ${text}: not one of ${formatNames.join(', ')}`)
}

function plain({ disk, format, diskBytes, deployment, digest }: Installed): string {
  return [
    `disk        ${disk} (${format}, ${sizeText(diskBytes)})`,
    `deployment  ${deployment}`,
    `image       ${digest}`,
    '',
  ].join('\n')
}
