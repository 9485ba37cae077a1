import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

const forms = 'HOST/NAME:TAG or @DIGEST, oci:DIR, oci-archive:FILE, …'

type End = (status: ExitStatus) => void

/** From an image to a disk, and to a machine that runs it; no controller is asked. */
export function addImageCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: End,
): void {
  const image = program
    .command('image')
    .description('look into bootable images, make disks of them, and try them')
  addLooks(image, session, end)
  image
    .command('install-disk')
    .description(
      'install an image to a disk, or into a new disk image; needs root, and no network for a local one',
    )
    .argument('<ref>', forms)
    .argument('<disk>', 'a block device, or the file to make')
    .option('--size <size>', 'of a new file: 20G (default: 10G)')
    .addOption(
      new Option('--format <format>', 'of a new file').choices(['raw', 'qcow2', 'vhd', 'vmdk'] as const),
    )
    .option('--esp-size <size>', 'of the EFI system partition (default: 512M)')
    .option('--karg <argument>', "a kernel argument of the machine's own; may be repeated", collect)
    .option('--agent-config <file>', "the agent's agent.yaml")
    .option('--identity <dir>', "the agent's identity: what bootfleet enrol host left in DIR")
    .option('--root-ssh-authorized-keys <file>', 'who may log in as root')
    .option('--hostname <name>', "the machine's name")
    .option('--wipe', 'destroy what is on the disk, or replace the file')
    .option('--json', 'print one JSON object')
    .action(async (ref, disk, options) => {
      end(await (await import('./image-install-disk.ts')).runInstallDisk(session(), { ref, disk }, options))
    })
  image
    .command('boot')
    .description('boot an image in QEMU from a temporary disk and see whether it comes up; needs root')
    .argument('<ref>')
    .option('--ssh-key <file>', 'private key: up is when ssh answers and systemd is done with starting')
    .option('--memory <mebibytes>', 'of the machine', parseMemory, 2048)
    .option('--size <size>', 'of its disk', '10G')
    .addOption(
      new Option('--timeout <duration>', 'how long it may take from power on')
        .argParser(parseTimeout)
        .default(300_000, '5m'),
    )
    .addOption(
      new Option('--accel <kind>', 'tcg: in software, works everywhere; kvm: much faster')
        .choices(['tcg', 'kvm'] as const)
        .default('tcg' as const),
    )
    .option('--show-console', 'show the serial console while it boots')
    .option('--keep', 'keep disk and logs')
    .action(async (ref, options) => {
      end(await (await import('./image-boot.ts')).runImageBoot(session(), ref, options))
    })
}

function addLooks(
  image: Command<[], Record<never, never>, { context?: string }>,
  session: () => Session,
  end: End,
): void {
  image
    .command('lint')
    .description('check that an image can be booted and updated; needs root, and no machine')
    .argument('<ref>', forms)
    .addOption(
      new Option('--profile <profile>', 'how the machines start')
        .choices(['systemd-boot', 'grub', 'tukit-grub2'] as const)
        .default('systemd-boot' as const),
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  bootfleet image lint registry.example/os:42.1.0')
    .action(async (ref, options) => {
      end(await (await import('./image-look.ts')).runImageLint(session(), ref, options))
    })
  image
    .command('diff')
    .description('packages and files that came, went or changed from one image to another; needs root')
    .argument('<from>', forms)
    .argument('<to>')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  bootfleet image diff registry.example/os:42.0.9 registry.example/os:42.1.0',
    )
    .action(async (from, to, options) => {
      end(await (await import('./image-look.ts')).runImageDiff(session(), { from, to }, options))
    })
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

function parseMemory(text: string): number {
  const mebibytes = Number(text)
  if (!/^\d{3,6}$/.test(text) || mebibytes < 256)
    throw new InvalidArgumentError('write a number of MiB from 256 on.')
  return mebibytes
}

function parseTimeout(text: string): number {
  const [, digits, unit = ''] = /^([1-9]\d{0,5})(s|m|h)$/.exec(text) ?? []
  const factor = { s: 1_000, m: 60_000, h: 3_600_000 }[unit]
  if (digits === undefined || factor === undefined)
    throw new InvalidArgumentError('write for example 90s, 10m or 1h.')
  return Number(digits) * factor
}
