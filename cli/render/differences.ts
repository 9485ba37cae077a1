import { shortDigest } from '../../controller/rollout/sentences.ts'
import { argumentWords } from '../offline/argument-change.ts'
import type { Difference, Differences } from '../offline/differences.ts'
import { counted } from './outlook.ts'
import { renderTable } from './table.ts'

export function renderDifferences({ changed, hosts, ownerless, unknown }: Differences): string {
  const rows = changed.map((each) => [
    '~',
    each.host,
    each.fleet,
    imageWords(each.from),
    '→',
    `${imageWords(each.to)}${each.isPinned ? ' (pinned)' : ''}${argumentsOf(each)}`,
  ])
  const notes = unknown.map(({ fleet, hosts: count, reference }) => {
    return `fleet ${fleet} wants ${reference}; its ${counted(count)} are not compared (--image ${fleet}=DIGEST does)\n`
  })
  if (ownerless > 0) notes.push(`${counted(ownerless)} of no fleet, or of several\n`)
  return `${renderTable(rows)}${notes.join('')}${changed.length} of ${counted(hosts)} differ\n`
}

function argumentsOf({ kernelArguments }: Difference): string {
  return kernelArguments === undefined ? '' : `, kernel arguments ${argumentWords(kernelArguments)}`
}

function imageWords(image: Difference['from']): string {
  if (image === null) return 'unknown'
  return image.version === '' ? shortDigest(image.digest) : `${image.version}@${shortDigest(image.digest)}`
}
