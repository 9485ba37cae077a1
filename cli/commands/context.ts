import { access, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  choicePath,
  chosenContext,
  isContextName,
  locateContext,
  loginFilesOf,
  namedContextPath,
  readContextFile,
  writeContext,
} from '../context.ts'
import type { ContextFile, ContextLocation } from '../context.ts'
import { listContexts, summarise } from '../context-list.ts'
import type { ContextSummary } from '../context-list.ts'
import { writeWhole } from '../dev/state-file.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderRows } from '../render/fit.ts'
import { renderJson, renderYaml } from '../render/structured.ts'
import { renderTable } from '../render/table.ts'
import { timeWord } from '../render/words.ts'
import type { Session } from '../session.ts'
import { columnsOf } from '../terminal.ts'

type Output = 'table' | 'json' | 'yaml'

const HOW: Readonly<Record<ContextLocation['from'], string>> = {
  flag: '--context says so',
  environment: 'BOOTFLEET_CONTEXT says so',
  choice: 'chosen with "bootfleet context use"',
  default: 'nothing else is chosen',
}

export async function runContextList(
  { terminal, contextFlag }: Session,
  { headers, output }: { readonly output: Output | 'name'; readonly headers: boolean },
): Promise<ExitStatus> {
  const contexts = await listContexts(terminal)
  const used = await locateContext(contextFlag, terminal)
  const data = contexts.map((context) => ({ ...context, used: context.file === used.path }))
  switch (output) {
    case 'json':
      terminal.out(renderJson(data))
      return exitStatus.done
    case 'yaml':
      terminal.out(renderYaml(data))
      return exitStatus.done
    case 'name':
      terminal.out(contexts.map(({ name }) => `${name}\n`).join(''))
      return exitStatus.done
    case 'table': {
      const rows = [['USED', 'NAME', 'ADDRESS', 'OPERATOR', 'UNTIL', 'MESSAGE'], ...data.map(rowOf)]
      const columns = columnsOf(terminal)
      const lines = renderRows(rows, { columns, optional: ['UNTIL'] })
      if (contexts.length > 0) terminal.out((headers ? lines : lines.slice(1)).join(''))
      else terminal.note('no contexts; "bootfleet context set" or "bootfleet login" makes one\n')
      if (!data.some((context) => context.used))
        terminal.note(`! commands use ${used.path}: ${HOW[used.from]}\n`)
      return exitStatus.done
    }
  }
}

function rowOf({
  address,
  name,
  operator,
  problem,
  until,
  used,
}: ContextSummary & { used: boolean }): string[] {
  return [used ? '*' : '', name, address || '-', operator || '-', untilWord(until), problem]
}

function untilWord(until: string): string {
  return until === '' ? '-' : timeWord(BigInt(Date.parse(until)))
}

export async function runContextUse({ terminal }: Session, name: string): Promise<ExitStatus> {
  const path = namedPath(name, terminal)
  const context = await readContextFile({ path })
  if (context === null) throw notFound(name, path)
  await writeWhole(choicePath(terminal), `${name}\n`)
  terminal.note(`✔ commands use ${name} (${context.address}) from now on\n`)
  const used = await locateContext(undefined, terminal)
  if (used.from === 'environment')
    terminal.note(`! where BOOTFLEET_CONTEXT is set, as it is here, they use ${used.path}\n`)
  return exitStatus.done
}

type Changes = {
  readonly address?: string
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

/** Files are kept by their whole paths: what was written is relative to where one stands now. */
export async function runContextSet(
  { terminal }: Session,
  name: string,
  { address, ...files }: Changes,
): Promise<ExitStatus> {
  const path = namedPath(name, terminal)
  const before = await readContextFile({ path })
  const named = Object.entries(files).map(([option, file]) => [option, resolve(file)] as const)
  if (address === undefined && named.length === 0)
    throw refused(name, 'nothing to set is given; write --address, --ca, --certificate or --key')
  for (const [option, file] of named) await requireReadable(name, option, file)
  const after = { ...before, ...(address === undefined ? {} : { address }), ...Object.fromEntries(named) }
  await writeContext(path, checked(name, before, after))
  terminal.note(`✔ context ${name} is ${before === null ? 'made' : 'changed'}: ${path}\n`)
  const used = await locateContext(undefined, terminal).catch(() => null)
  if (used?.path !== path) terminal.note(`» "bootfleet context use ${name}" has commands use it\n`)
  return exitStatus.done
}

function checked(name: string, before: ContextFile | null, after: Partial<ContextFile>): ContextFile {
  const { address, ca, certificate, key, login } = after
  if (address === undefined || ca === undefined)
    throw refused(name, 'there is none of that name yet, and a new one needs --address and --ca')
  if ((certificate === undefined) !== (key === undefined))
    throw refused(name, 'a certificate and its key go together; write both --certificate and --key')
  const isOther = certificate !== before?.certificate || key !== before?.key
  if (login !== undefined && isOther)
    throw refused(name, 'its certificate comes from "bootfleet login"; set one under another name')
  return { ...after, address, ca }
}

async function requireReadable(name: string, option: string, file: string): Promise<void> {
  await access(file).catch((cause: unknown) => {
    throw refused(name, `--${option} names a file that cannot be read: ${String(cause)}`)
  })
}

/**
 * Also one that cannot be read. What it names elsewhere stays: it may be the only copy of a key. Its own key goes
 * first: cut off in between, what is left is a context that a second call deletes, and no key without a name.
 */
export async function runContextDelete({ terminal }: Session, name: string): Promise<ExitStatus> {
  const path = namedPath(name, terminal)
  try {
    await access(path)
    for (const file of Object.values(loginFilesOf(path))) await rm(join(dirname(path), file), { force: true })
    await rm(path)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw notFound(name, path)
    throw new CliError('ContextInvalid', `deleting the context ${name}: ${message}`, { cause })
  }
  terminal.note(`✔ context ${name} is deleted; certificates and keys that it named elsewhere stay\n`)
  if ((await chosenContext(terminal).catch(() => null)) !== name) return exitStatus.done
  await rm(choicePath(terminal), { force: true })
  terminal.note('» commands used it; "bootfleet context use NAME" chooses another one\n')
  return exitStatus.done
}

export async function runContextShow(
  { terminal, contextFlag }: Session,
  name: string | null,
  { output }: { readonly output: Output },
): Promise<ExitStatus> {
  const used = await locateContext(contextFlag, terminal)
  const path = name === null ? used.path : namedPath(name, terminal)
  const known = (await listContexts(terminal)).find(({ file }) => file === path)
  const summary = known ?? (await summarise('', path))
  if (summary === null) throw notFound(name ?? used.path, path)
  const isUsed = path === used.path
  const data = { ...summary, used: isUsed, why: isUsed ? HOW[used.from] : '' }
  const rendered = { table: () => lines(data), json: () => renderJson(data), yaml: () => renderYaml(data) }
  terminal.out(rendered[output]())
  return exitStatus.done
}

function lines(summary: ContextSummary & { readonly used: boolean; readonly why: string }): string {
  const { address, file, loginServer, name, operator, problem, until, used, why } = summary
  const rows = [
    ['context', name === '' ? '(a file without a name)' : name],
    ['used', used ? `yes: ${why}` : 'no'],
    ['file', file],
    ['address', address],
    ['operator', operator],
    ['until', until === '' ? '' : untilWord(until)],
    ['login', loginServer],
    ['problem', problem],
  ]
  return renderTable(rows.filter(([, value]) => value !== ''))
}

function namedPath(name: string, terminal: Session['terminal']): string {
  if (isContextName(name)) return namedContextPath(name, terminal)
  const form = 'a name has letters, digits, ".", "_" and "-", at most 63, and does not end in .json'
  throw new CliError('BadUsage', `context: ${JSON.stringify(name)} is no name of one; ${form}`)
}

function notFound(name: string, path: string): CliError {
  const todo = '"bootfleet context list" shows those that are there, "bootfleet context set" makes one'
  return new CliError('NotFound', `no context ${name}: ${path} cannot be read; ${todo}`)
}

function refused(name: string, why: string): CliError {
  return new CliError('BadUsage', `setting the context ${name}: ${why}`)
}
