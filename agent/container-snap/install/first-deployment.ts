import { basename, dirname } from 'node:path'
import { findSystemdBoot, prepareEsp } from '../boot/prepare-esp.ts'
import { openSystemdBoot } from '../boot/systemd-boot.ts'
import type { Context } from '../context.ts'
import { activateSnapshot } from '../deploy/activation.ts'
import { withRecord } from '../deploy/boot-deployment.ts'
import { makeDeployment } from '../deploy/deployment.ts'
import type { MachineConfig } from '../machine.ts'
import { machineFile, triesDefault } from '../machine.ts'
import { changeStore, recordLedger } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'
import { espMountPoint } from './contents.ts'
import { place } from './material.ts'

export type FirstDeployment = {
  /** Folder that becomes the EFI system partition. */
  esp: string
  rootUuid: string
  kernelArguments: readonly string[]
  /** Writes the machine's own files into the new root. */
  prepare: (root: string) => Promise<void>
}

/**
 * The deployment a machine starts its life with. It is not counted: there is nothing to fall back to, and a machine
 * that was switched off three times before it was ready would otherwise end without an entry. Returns its id.
 */
export async function installFirst(
  context: Context,
  imageId: string,
  { esp, rootUuid, kernelArguments, prepare }: FirstDeployment,
): Promise<string> {
  const tries = triesDefault
  const machine: MachineConfig = {
    version: 1,
    loader: { kind: 'systemd-boot', esp: espMountPoint, tries },
    kernelArguments,
  }
  const file = machineFile(context.paths)
  await place(dirname(file), basename(file), { text: `${JSON.stringify(machine, null, 2)}\n`, mode: 0o600 })
  return changeStore(context, async (opened) => {
    const image = findSnapshot(opened, imageId)
    await prepareEsp(context, esp, await findSystemdBoot(image.path))
    const loader = openSystemdBoot(context, { espDirectory: esp, tries, rootUuid, kernelArguments })
    const made = await makeDeployment(context, loader, opened, { image, etc: null, source: null, prepare })
    const { subvolumeUuid, id } = made.record
    const proven = withRecord(made.view, subvolumeUuid, { blessedAt: new Date().toISOString() })
    const { view } = await activateSnapshot(context, loader, proven, made.snapshot)
    // There is no boot whose outcome is waited for.
    await recordLedger(context, { ...view.ledger, activating: null })
    return id
  })
}
