/** An entry of the Boot Loader Specification, type 1, as we write it. */
export type EntryText = {
  title: string
  /** Written as `version`: the highest is first in the loader's list. */
  activation: number
  /** Null on a machine whose architecture has no name in EFI. */
  architecture: string | null
  /** Paths on the ESP. */
  linux: string
  initrd: string
  options: string
  deploymentId: string
}

const sortKey = 'bootfleet'

/** The deployment stands last, so that a text without it is known to be torn. */
export function renderEntry(entry: EntryText): string {
  const architecture = entry.architecture === null ? [] : [`architecture ${entry.architecture}`]
  const lines = [
    `title ${entry.title}`,
    `version ${entry.activation}`,
    `sort-key ${sortKey}`,
    ...architecture,
    `linux ${entry.linux}`,
    `initrd ${entry.initrd}`,
    `options ${entry.options}`,
    `# bootfleet-deployment ${entry.deploymentId}`,
  ]
  return `${lines.join('\n')}\n`
}

/** Null for one that is torn. */
export function parseEntry(text: string): EntryText | null {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}[ \\t]+(.*\\S)[ \\t]*$`, 'm').exec(text)?.[1]
  const [title, version, linux, initrd, options] = ['title', 'version', 'linux', 'initrd', 'options'].map(
    field,
  )
  const deploymentId = /^# bootfleet-deployment ([0-9a-f]{64}-work[1-9][0-9]*)\n/m.exec(text)?.[1]
  if (text.includes('\0') || deploymentId === undefined || !/^[0-9]+$/.test(version ?? '')) return null
  if (title === undefined || linux === undefined || initrd === undefined || options === undefined) return null
  const architecture = field('architecture') ?? null
  return { title, activation: Number(version), architecture, linux, initrd, options, deploymentId }
}
