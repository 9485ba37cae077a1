import type { SourceStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { sourcesOf } from '../../proto/picture/sentences.ts'
import { shortHash } from '../../proto/picture/words.ts'
import { foldLine } from './fit.ts'
import type { Style } from './style.ts'

type Sources = { readonly source?: SourceStatus | undefined; readonly sources: readonly SourceStatus[] }

/** What is wrong with each source, and what its fleets wait for, as a block; empty when all is well. */
export function renderSourceTrouble(status: Sources, style: Style): string {
  const sources = sourcesOf(status)
  const blocks = sources.map((source) => troubleOf(source, sources.length > 1, style))
  return blocks.filter((block) => block !== '').join('\n')
}

function troubleOf(source: SourceStatus, isOneOfMany: boolean, style: Style): string {
  let text = ''
  if (source.rejection !== undefined) {
    const inForce =
      source.acceptedCommit === ''
        ? 'no commit is in force yet'
        : `the last good commit ${shortHash(source.acceptedCommit)} stays in force`
    const of = isOneOfMany ? ` of source ${source.name}` : ''
    text += `${style('bad', `✖ commit ${shortHash(source.rejection.commit)}${of} is rejected`)}; ${inForce}\n`
    for (const issue of source.rejection.issues) text += `\n${indent(issue)}\n`
  }
  if (source.error !== '') {
    const word = style('bad', '✖ source')
    const from = `${source.url} ${source.branch}`.trim()
    text += `${text === '' ? '' : '\n'}${word} ${from}: ${source.error}\n`
  }
  for (const sentence of source.waiting) text += `${style('quiet', `◎ ${sentence}`)}\n`
  return text
}

/** One line for each. */
export function renderSources(
  status: Sources,
  { columns, style }: { readonly columns: number | null; readonly style: Style },
): string {
  return sourcesOf(status)
    .map((source) => {
      const accepted =
        source.acceptedCommit === '' ? 'nothing accepted yet' : `commit ${shortHash(source.acceptedCommit)}`
      const subject = source.acceptedSubject === '' ? '' : ` "${source.acceptedSubject}"`
      const signer = source.acceptedSigner === '' ? '' : ` signed by ${source.acceptedSigner}`
      const from = `${source.url} ${source.branch}`.trim()
      return foldLine(style('quiet', `source ${from} · ${accepted}${subject}${signer}`), columns)
    })
    .join('')
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
