import type { CommandName, Invocation, OptionValues } from '../arguments.ts'
import type { Context } from '../context.ts'
import { activate, bless, rollback, switchTo } from './activate.ts'
import { call as callInside } from './call.ts'
import { deleteSnapshot } from './delete.ts'
import { deploy } from './deploy.ts'
import { diff, diffFetched } from './diff.ts'
import { etcDiff } from './etc-diff.ts'
import { gc, gcDryRun } from './gc.ts'
import { install } from './install.ts'
import { lint } from './lint.ts'
import { listImages, listSnapshots } from './list.ts'
import { setPinned } from './pin.ts'
import { getCurrent, getDefault } from './pointers.ts'
import type { GcOptions } from '../gc/selection.ts'
import type { PullOptions } from './pull.ts'
import { load, pull } from './pull.ts'
import { repair } from './repair.ts'
import { createSnapshot, getReadonlyState, getRoot, setReadonlyState } from './snapshot.ts'
import { status } from './status.ts'

const stallSecondsDefault = 120
const keptImagesDefault = 2

/** Each returns what goes to stdout, or the exit status of a program that wrote there itself. */
export const commands: Readonly<
  Record<CommandName, (context: Context, call: Invocation) => Promise<string | { status: number }>>
> = {
  init: async () => '', // opening the store, as for every command, is all there is to it
  pull: (context, call) => pull(context, first(call), pullOptions(call)),
  load: (context, call) =>
    load(context, call.positionals[0], { ...pullOptions(call), input: call.values.input }),
  switch: (context, call) => switchTo(context, first(call)),
  'get-root': (context, call) => getRoot(context, first(call)),
  'set-readonly-state': (context, call) =>
    setReadonlyState(context, first(call), call.values.readonly ?? false),
  'get-readonly-state': (context, call) => getReadonlyState(context, first(call)),
  'list-images': (context) => listImages(context),
  'list-snapshots': (context) => listSnapshots(context),
  'get-default': (context) => getDefault(context),
  'get-current': (context) => getCurrent(context),
  delete: (context, { values }) =>
    deleteSnapshot(context, {
      id: values.id,
      url: values.url,
      ifExists: values['if-exists'] ?? false,
      cascade: values.cascade ?? false,
    }),
  'create-snapshot': (context, call) => createSnapshot(context, first(call)),
  status: (context) => status(context),
  deploy: (context, call) => {
    const { 'etc-base': etcBase, etc, karg = [] } = call.values
    return deploy(context, first(call), { etcBase, etc, kernelArguments: karg })
  },
  activate: (context, call) => activate(context, first(call)),
  rollback: (context, call) => rollback(context, call.positionals[0], { bad: call.values.bad }),
  bless: (context, call) => bless(context, call.positionals[0]),
  repair: (context) => repair(context),
  pin: (context, call) => setPinned(context, first(call), true),
  unpin: (context, call) => setPinned(context, first(call), false),
  gc: (context, { values }) => (values['dry-run'] ? gcDryRun : gc)(context, gcOptions(values)),
  diff: (context, call) => {
    const [from = '', to = ''] = call.positionals
    return call.values.fetch === true
      ? diffFetched(context, from, to, pullOptions(call).stallMs)
      : diff(context, from, to)
  },
  'etc-diff': (context) => etcDiff(context),
  call: (context, call) => callInside(context, first(call), call.positionals.slice(1)),
  lint: (context, call) => {
    const { fetch = false, list = false, profile } = call.values
    const { stallMs } = pullOptions(call)
    return lint(context, call.positionals[0], { profile, list, fetch: fetch ? { stallMs } : null })
  },
  install: (context, call) => install(context, call, pullOptions(call).stallMs),
}

/** Others work where there is no btrfs, and open the store themselves where they want it. */
export function needsStore({ command, values }: Invocation): boolean {
  return command !== 'lint' && command !== 'install' && values.fetch !== true
}

function first(call: Invocation): string {
  return call.positionals[0] ?? ''
}

function pullOptions(call: Invocation): PullOptions {
  const { progress, quiet, 'stall-timeout': stallSeconds } = call.values
  const stallMs = Number(stallSeconds ?? stallSecondsDefault) * 1000
  return { progress: progress === 'json', quiet: quiet ?? false, stallMs }
}

function gcOptions({ keep, copies }: OptionValues): GcOptions {
  return { keepImages: Number(keep ?? keptImagesDefault), copies: copies === true ? 'remove' : 'keep' }
}
