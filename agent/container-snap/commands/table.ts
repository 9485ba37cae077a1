import type { CommandName, Invocation } from '../arguments.ts'
import type { Context } from '../context.ts'
import { deleteSnapshot } from './delete.ts'
import { listImages, listSnapshots } from './list.ts'
import type { PullOptions } from './pull.ts'
import { load, pull } from './pull.ts'
import { createSnapshot, getReadonlyState, getRoot, setReadonlyState } from './snapshot.ts'
import { status } from './status.ts'
import { getCurrent, getDefault, switchTo } from './switch.ts'

const stallSecondsDefault = 120

/** Each returns what goes to stdout. */
export const commands: Readonly<
  Record<CommandName, (context: Context, call: Invocation) => Promise<string>>
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
}

function first(call: Invocation): string {
  return call.positionals[0] ?? ''
}

function pullOptions(call: Invocation): PullOptions {
  const { progress, quiet, 'stall-timeout': stallSeconds } = call.values
  const stallMs = Number(stallSeconds ?? stallSecondsDefault) * 1000
  return { progress: progress === 'json', quiet: quiet ?? false, stallMs }
}
