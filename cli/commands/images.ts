import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Selector } from '../../controller/desired-state/types.ts'
import {
  FindHostsRequestSchema,
  FindHostsResponseSchema,
  ListImagesRequestSchema,
  ListImagesResponseSchema,
} from '../../proto/gen/bootfleet/v1/images_pb.ts'
import type { LabelTermSchema } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { call } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderRows } from '../render/fit.ts'
import { foundLines, imageTable, noteOnFound, noteOnImages } from '../render/images.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { columnsOf } from '../terminal.ts'

type Options = {
  fleet?: string
  selector?: Selector
  output: 'table' | 'json' | 'yaml' | 'name'
  headers: boolean
}
type Listed = {
  /** For a terminal of so many columns; null: as wide as it gets. */
  readonly linesFor: (columns: number | null) => readonly string[]
  readonly names: readonly string[]
  readonly data: unknown
  readonly note: string
}

export function runHosts(
  session: Session,
  {
    containing = '',
    fleet = '',
    running = '',
    selector,
    ...options
  }: Options & { running?: string; containing?: string },
): Promise<ExitStatus> {
  if ((running === '') === (containing === '')) {
    throw new CliError(
      'BadUsage',
      'hosts takes either --running IMAGE or --containing DIGEST; "bootfleet get hosts" lists all hosts',
    )
  }
  return withClient(session, async (client) => {
    const request = create(FindHostsRequestSchema, {
      running,
      containing,
      fleet,
      labels: termsOf(selector),
    })
    const found = await call(client, client.service.findHosts, request)
    const booted = found.hosts.filter(({ hold }) => hold === 'Booted')
    const [nowMs, style] = [BigInt(Date.now()), styleFor(session.terminal.colour)]
    print(session, options, {
      linesFor: (columns) => foundLines(booted, nowMs, { columns, style }),
      names: booted.map(({ name }) => `host/${name}`),
      data: toData(FindHostsResponseSchema, found),
      note: noteOnFound(found),
    })
    return exitStatus.done
  })
}

export function runImages(
  session: Session,
  { fleet = '', selector, ...options }: Options,
): Promise<ExitStatus> {
  return withClient(session, async (client) => {
    const request = create(ListImagesRequestSchema, { fleet, labels: termsOf(selector) })
    const listed = await call(client, client.service.listImages, request)
    const rows = imageTable(listed.images, BigInt(Date.now()), styleFor(session.terminal.colour))
    print(session, options, {
      linesFor: (columns) => renderRows(rows, { columns, optional: ['HOLDING', 'REPOSITORY', 'AGE'] }),
      names: listed.images.map(({ digest }) => digest),
      data: toData(ListImagesResponseSchema, listed),
      note: noteOnImages(listed),
    })
    return exitStatus.done
  })
}

/** What -l says is all in its expressions. */
function termsOf(selector: Selector | undefined): MessageInitShape<typeof LabelTermSchema>[] {
  if (selector === undefined || selector.kind === 'all') return []
  return selector.expressions.map(({ key, operator, values }) => ({ key, operator, values: [...values] }))
}

function print({ terminal }: Session, { headers, output }: Options, listed: Listed): void {
  switch (output) {
    case 'json':
      terminal.out(renderJson(listed.data))
      return
    case 'yaml':
      terminal.out(renderYaml(listed.data))
      return
    case 'name':
      terminal.out(listed.names.map((name) => `${name}\n`).join(''))
      terminal.note(listed.note)
      return
    case 'table':
      if (listed.names.length > 0) {
        const lines = listed.linesFor(columnsOf(terminal))
        terminal.out((headers ? lines : lines.slice(1)).join(''))
      }
      terminal.note(listed.note)
      return
  }
}
