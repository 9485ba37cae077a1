import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { bundle } from '../../container-snap/testing/program.ts'
import { openRegistry } from '../../container-snap/testing/registry.ts'
import type { Files, Registry } from '../../container-snap/testing/registry.ts'
import { adopt } from '../command.ts'
import type { AdoptOptions } from '../command.ts'

/** A registry with an image, container-snap as a program, and the command itself. */
export type AdoptWorld = {
  readonly registry: Registry
  /** HOST:PORT/NAME:TAG */
  readonly image: string
  readonly digest: string
  readonly programPath: string
  readonly run: (...words: string[]) => Promise<Outcome>
  /** Ends, as by a crash, when so many steps are written down; the last one's name is the error. */
  readonly cutAfter: (steps: number, ...words: string[]) => Promise<Outcome>
  readonly snap: (...words: string[]) => Promise<string>
  readonly close: () => Promise<void>
}

export type Outcome = { readonly status: number; readonly lines: readonly string[]; readonly error: string }

/** The smallest system that a deployment is made of, with what an image brings in its /etc. */
const SYSTEM: Files = {
  'etc/os-release': 'ID=tiny\nPRETTY_NAME="Tiny 1"\n',
  'etc/fstab': '# of the image\n',
  'etc/hostname': 'image\n',
  'etc/ssh/sshd_config': 'of the image\n',
  'etc/passwd': 'root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\n',
  'etc/group': 'root:x:0:\nsudo:x:28:\n',
  'etc/shadow': 'root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n',
  'usr/bin/tool': 'new\n',
  'usr/lib/modules/6.12.0/vmlinuz': 'kernel of the image',
  'usr/lib/modules/6.12.0/initrd': 'initrd of the image',
  'usr/local/': '',
  'var/': '',
  'home/': '',
  'root/': '',
  'srv/': '',
  'opt/': '',
  'boot/': '',
  'efi/': '',
}

/** `path`: where programs are found. */
export async function openAdoptWorld(path: string): Promise<AdoptWorld> {
  const base = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-world-'))
  const registry = await openRegistry()
  const image = `${registry.address}/os:1`
  const digest = await registry.push('os:1', [SYSTEM])
  const program = join(base, 'container-snap')
  await bundle('main.ts', `${program}.mjs`)
  await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${program}.mjs "$@"\n`, { mode: 0o755 })
  const programPath = `${base}:${path}`
  const run = async (words: readonly string[], failpoint: AdoptOptions['failpoint']): Promise<Outcome> => {
    const lines: string[] = []
    const outcome = await adopt(words, {
      env: { CONTAINERS_REGISTRIES_CONF: registry.registriesConf, HOME: base },
      programPath,
      signal: new AbortController().signal,
      say: (line) => void lines.push(line),
      ...(failpoint === undefined ? {} : { failpoint }),
    }).then(
      (status) => ({ status, error: '' }),
      (error: Error) => ({ status: -1, error: error.message }),
    )
    return { ...outcome, lines }
  }
  return {
    registry,
    image,
    digest,
    programPath,
    run: async (...words) => run(words, undefined),
    cutAfter: async (steps, ...words) => {
      let left = steps
      return run(words, async (step) => {
        left -= 1
        if (left === 0) throw new Error(step)
      })
    },
    snap: async (...words) => (await execa(program, words)).stdout,
    close: async () => {
      await registry.close()
      await rm(base, { recursive: true, force: true })
    },
  }
}
