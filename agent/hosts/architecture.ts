const OCI_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' }

/** Node's name of an architecture as OCI spells it; others are the same in both. */
export function toOciArchitecture(arch: string): string {
  return OCI_NAMES[arch] ?? arch
}
