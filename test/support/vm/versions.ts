import { gone, program, text } from './host-images.ts'
import type { Files } from './host-images.ts'
import { machineArguments } from './machine.ts'

const kernelArguments = (...kargs: readonly string[]): Files => ({
  'usr/lib/bootc/kargs.d/90-broken.toml': text(`kargs = ${JSON.stringify(kargs)}\n`),
})

/** The service's own check of an image that works. */
export const working: Files = { 'usr/lib/bootfleet/checks/web-up': program('#!/bin/sh\nexit 0\n') }

/** With the arguments that an installer gives other machines: one that is adopted keeps only its console of them. */
export const onAnyMachine = (files: Files): Files => ({
  ...files,
  'usr/lib/bootc/kargs.d/10-machine.toml': text(`kargs = ${JSON.stringify(machineArguments)}\n`),
})

/** Ways to be broken, each a small layer over what works. */
export const broken = {
  /** The last of an argument counts. A device that is not there would be waited for, half a minute each boot. */
  kernelWithoutRoot: { ...working, ...kernelArguments('rootflags=subvol=@gone') },
  /** A first process that ends is a panic. */
  kernelPanics: { ...working, ...kernelArguments('init=/usr/bin/false') },
  mountFails: {
    ...working,
    'usr/lib/systemd/system/run-gone.mount': text(
      '[Mount]\nWhat=/nowhere\nWhere=/run/gone\nType=none\nOptions=bind\n',
    ),
    'usr/lib/systemd/system/local-fs.target.d/50-gone.conf': text('[Unit]\nRequires=run-gone.mount\n'),
  },
  agentNeverStarts: { ...working, 'usr/bin/bootfleet-agent': program('#!/bin/sh\nexit 1\n') },
  checkFails: {
    'usr/lib/bootfleet/checks/web-up': program('#!/bin/sh\necho "the page is gone"\nexit 1\n'),
  },
  networkIsLost: { ...working, 'usr/lib/systemd/network/80-ethernet.network': gone },
} as const satisfies Record<string, Files>
