import { access } from 'node:fs/promises'
import { CliError } from '../errors.ts'

/** UEFI for virtual machines: its code, and the variables that a machine gets a copy of. */
export type Firmware = { readonly code: string; readonly variables: string }

/** Debian and Ubuntu, Fedora, openSUSE. */
const places: readonly Firmware[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
  { code: '/usr/share/qemu/ovmf-x86_64-4m-code.bin', variables: '/usr/share/qemu/ovmf-x86_64-4m-vars.bin' },
]

export async function findFirmware(): Promise<Firmware> {
  for (const place of places) {
    if ((await isThere(place.code)) && (await isThere(place.variables))) return place
  }
  const looked = places.map(({ code }) => code).join(', ')
  throw new CliError(
    'ToolMissing',
    `no UEFI firmware for virtual machines: none of ${looked}; on Debian: apt-get install ovmf`,
  )
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
