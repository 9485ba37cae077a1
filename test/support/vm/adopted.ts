import { wantImage } from './fleet.ts'
import type { FirmwareKind } from './grub-machine.ts'
import { onAnyMachine, working } from './versions.ts'
import { openWorld } from './world.ts'
import type { DebianMachine, World } from './world.ts'

export type AdoptedWorld = {
  readonly world: World
  /** Adopted and still off: its next boot is that of `first`. */
  readonly machine: DebianMachine
  /** Digest of the image that works, which the fleet wants. */
  readonly first: string
}

/** A Debian machine with GRUB that was adopted to the first image of its fleet. */
export async function openAdopted(firmware: FirmwareKind, checks: readonly string[]): Promise<AdoptedWorld> {
  const world = await openWorld()
  try {
    const first = await world.images.push('1', onAnyMachine(working))
    wantImage(world, first, { checks })
    const machine = await world.debian('till-1', firmware)
    await machine.adopt(first)
    return { world, machine, first }
  } catch (error) {
    await world.close()
    throw error
  }
}
