import { expect, it } from 'vitest'
import { mergeSources, sourceOf } from './merge-sources.ts'
import type { Candidate, Commit } from './merge-sources.ts'

const fleet = (name: string, more = ''): string => `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { site: ${name} } }
  image: { repository: r.example/os, tag: stable }
${more}`
const strategy = (name: string): string => `apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: ${name} }
spec: { maxUnavailable: 1 }
`

function commit(id: string, ...texts: readonly string[]): Commit {
  const files = texts.map((text, index) => ({ path: `f${index}.yaml`, text }))
  return { commit: id, subject: id, files }
}

function candidate(name: string, head: Commit | null, accepted: Commit | null = null): Candidate {
  return { name, head, accepted }
}

function merged(...candidates: readonly Candidate[]) {
  const { accepted, rejected, desiredState } = mergeSources(candidates)
  return {
    accepted: Object.fromEntries([...accepted].map(([name, each]) => [name, each.commit])),
    rejected: Object.fromEntries(rejected),
    fleets: desiredState?.fleets.map(({ name }) => name) ?? null,
    desiredState,
  }
}

it('takes what all sources say together, and knows where each fleet is from', () => {
  const both = merged(candidate('a', commit('a1', fleet('edge'))), candidate('b', commit('b1', fleet('lab'))))
  expect(both).toMatchObject({ accepted: { a: 'a1', b: 'b1' }, rejected: {}, fleets: ['edge', 'lab'] })
  const from = both.desiredState?.fleets.map((each) => sourceOf(each, ['a', 'b']))
  expect(from).toEqual(['a', 'b'])
})

it('shows the paths of one source alone as they are', () => {
  const { desiredState } = merged(candidate('a', commit('a1', fleet('edge'))))
  expect(desiredState?.fleets[0]?.declaredAt.path).toBe('f0.yaml')
})

it('refuses a name that another source has, and names both places', () => {
  const a = commit('a1', fleet('edge'))
  const result = merged(
    candidate('a', a, a),
    candidate('b', commit('b2', fleet('edge')), commit('b1', fleet('lab'))),
  )
  expect(result).toMatchObject({ accepted: { a: 'a1', b: 'b1' }, fleets: ['edge', 'lab'] })
  expect(result.rejected['b']?.[0]).toMatch(/^b\/f0\.yaml:3:.*a second Fleet "edge".*a\/f0\.yaml:/)
})

it('takes each source whole or not at all, and one that is bad leaves the others alone', () => {
  const [a1, b1] = [commit('a1', fleet('edge')), commit('b1', fleet('lab'))]
  const bad = commit('b2', fleet('lab'), fleet('new', '  tagg: 1\n'))
  const result = merged(
    candidate('a', commit('a2', fleet('edge'), fleet('more')), a1),
    candidate('b', bad, b1),
  )
  expect(result).toMatchObject({ accepted: { a: 'a2', b: 'b1' }, fleets: ['edge', 'lab', 'more'] })
  expect(Object.keys(result.rejected)).toEqual(['b'])
})

it('lets a fleet move from one source to another, whichever is read first', () => {
  const [a1, b1] = [commit('a1', fleet('edge'), fleet('lab')), commit('b1', fleet('till'))]
  const [a2, b2] = [commit('a2', fleet('edge')), commit('b2', fleet('till'), fleet('lab'))]
  expect(merged(candidate('a', null, a1), candidate('b', b2, b1)).accepted).toEqual({ a: 'a1', b: 'b1' })
  const moved = merged(candidate('a', a2, a1), candidate('b', b2, b1))
  expect(moved).toMatchObject({ accepted: { a: 'a2', b: 'b2' }, rejected: {} })
})

it('takes a source that needs another one, in any order of the configuration', () => {
  const uses = candidate('a', commit('a1', fleet('edge', '  strategy: careful\n')))
  const has = candidate('b', commit('b1', strategy('careful')))
  const bad = candidate('c', commit('c1', 'kind: None\n'), commit('c0', fleet('lab')))
  expect(merged(uses, has, bad)).toMatchObject({ accepted: { a: 'a1', b: 'b1', c: 'c0' } })
})

it('refuses a commit that would break what another source has in force', () => {
  const a1 = commit('a1', fleet('edge', '  strategy: careful\n'))
  const result = merged(
    candidate('a', a1, a1),
    candidate('b', commit('b2', fleet('lab')), commit('b1', strategy('careful'))),
  )
  expect(result.accepted).toEqual({ a: 'a1', b: 'b1' })
  expect(result.rejected['b']?.[0]).toContain('a/f0.yaml')
})

it('judges nothing while one source was never read: a freeze may be there, or the first of two names', () => {
  const result = merged(candidate('a', commit('a1', fleet('edge'))), candidate('b', null))
  expect(result).toMatchObject({ accepted: {}, rejected: {}, fleets: null })
})

it('says nothing while nothing of one source can be taken', () => {
  const result = merged(
    candidate('a', commit('a1', fleet('edge'))),
    candidate('b', commit('b1', 'kind: None\n')),
  )
  expect(result).toMatchObject({ accepted: { a: 'a1' }, fleets: null })
  expect(Object.keys(result.rejected)).toEqual(['b'])
})

it('takes the name of the source that comes first in the configuration where neither has it yet', () => {
  const [left, right] = [commit('a1', fleet('edge')), commit('b1', fleet('edge'))]
  expect(Object.keys(merged(candidate('a', left), candidate('b', right)).rejected)).toEqual(['b'])
  expect(Object.keys(merged(candidate('b', right), candidate('a', left)).rejected)).toEqual(['a'])
})
