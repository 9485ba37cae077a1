import type { SourceStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Style } from './style.ts'
import { shortHash } from './words.ts'

/** What is wrong with the source, as a block of its own; empty when all is well. */
export function renderSourceTrouble(source: SourceStatus | undefined, style: Style): string {
  if (source === undefined) return ''
  let text = ''
  if (source.rejection !== undefined) {
    const inForce =
      source.acceptedCommit === ''
        ? 'no commit is in force yet'
        : `the last good commit ${shortHash(source.acceptedCommit)} stays in force`
    text += `${style('bad', `✖ commit ${shortHash(source.rejection.commit)} is rejected`)}; ${inForce}\n`
    for (const issue of source.rejection.issues) text += `\n${indent(issue)}\n`
  }
  if (source.error !== '') {
    const word = style('bad', '✖ source')
    text += `${text === '' ? '' : '\n'}${word} ${source.url} ${source.branch}: ${source.error}\n`
  }
  return text
}

export function renderSource(source: SourceStatus, style: Style): string {
  const accepted =
    source.acceptedCommit === '' ? 'nothing accepted yet' : `commit ${shortHash(source.acceptedCommit)}`
  const subject = source.acceptedSubject === '' ? '' : ` "${source.acceptedSubject}"`
  return `${style('quiet', `source ${source.url} ${source.branch} · ${accepted}${subject}`)}\n`
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
