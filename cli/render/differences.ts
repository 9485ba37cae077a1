import { shortDigest } from '../../controller/rollout/sentences.ts'
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
    `${imageWords(each.to)}${each.isPinned ? ' (pinned)' : ''}${argumentWords(each)}`,
  ])
  const notes = unknown.map(({ fleet, hosts: count, reference }) => {
    return `fleet ${fleet} wants ${reference}; its ${counted(count)} are not compared (--image ${fleet}=DIGEST does)\n`
  })
  if (ownerless > 0) notes.push(`${counted(ownerless)} of no fleet, or of several\n`)
  return `${renderTable(rows)}${notes.join('')}${changed.length} of ${counted(hosts)} differ\n`
}

function argumentWords({ kernelArguments }: Difference): string {
  if (kernelArguments === undefined) return ''
  const { from, to } = kernelArguments
  const gone = from.filter((one) => !to.includes(one)).map((one) => `-${one}`)
  const come = to.filter((one) => !from.includes(one)).map((one) => `+${one}`)
  const words = [...gone, ...come]
  return `, kernel arguments ${words.length === 0 ? 'in another order' : words.join(' ')}`
}

function imageWords(image: Difference['from']): string {
  if (image === null) return 'unknown'
  return image.version === '' ? shortDigest(image.digest) : `${image.version}@${shortDigest(image.digest)}`
}
