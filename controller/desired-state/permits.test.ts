import { expect, it } from 'vitest'
import { formatIssue } from './issue.ts'
import { parseDesiredState } from './parse.ts'

const text = '{"payloadType":"x","payload":"","signatures":[]}\n'
const path = '.bootfleet/permits/camera.json'
const issuesOf = (files: readonly { readonly path: string; readonly text: string }[]): string => {
  const result = parseDesiredState(files)
  return result.ok ? '' : result.issues.map(formatIssue).join('\n')
}

it('permits are kept as they lie in git, also below the folder of one of several sources', () => {
  const files = [
    { path: `shop/${path}`, text },
    { path, text },
  ]
  const result = parseDesiredState(files)
  expect(result.ok && result.desiredState.permits).toEqual(files.toReversed())
  expect(parseDesiredState([])).not.toHaveProperty('desiredState.permits')
})

it('what is none refuses the commit', () => {
  for (const wrong of ['{', '[]', 'null', '1', '{"payloadType":"x"}', '{"payloadType":"x","payload":""}']) {
    expect(issuesOf([{ path, text: wrong }])).toContain(`${path}:1:1: is no permit`)
  }
})

it('more than there may be refuse the commit', () => {
  const files = Array.from({ length: 65 }, (_, at) => ({ path: `.bootfleet/permits/${100 + at}.json`, text }))
  expect(issuesOf(files)).toContain(
    '.bootfleet/permits/164.json:1:1: is one permit too many: there may be 64',
  )
  expect(issuesOf(files.slice(1))).toBe('')
})
