import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Nodes } from '../testing/etc-trees.ts'
import { etcBench, lookAt } from '../testing/etc-trees.ts'
import { parentOf } from '../trees/names.ts'
import type { Entry, Tree } from '../trees/tree.ts'
import type { EtcPlan } from './plan.ts'
import { planMerge } from './plan.ts'

const nothing = { alwaysNew: () => false, byLine: new Set<string>() }

/** A file, a link or a folder with more of them; few names and contents, so that trees meet often. */
const shapes = fc.letrec<{ node: string | object }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('1', '2', '3', '@1', '@2'),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node'), { maxKeys: 3 }),
  ),
}))
const trees = fc.dictionary(fc.constantFrom('a', 'b', 'c', '-d\n'), shapes.node, { maxKeys: 4 }).map(flat)

function flat(folder: object, prefix = ''): Map<string, string | null> {
  const found = new Map<string, string | null>()
  for (const [name, node] of Object.entries(folder) as [string, string | object][]) {
    found.set(`${prefix}${name}`, typeof node === 'string' ? node : null)
    if (typeof node !== 'string')
      for (const [path, value] of flat(node, `${prefix}${name}/`)) found.set(path, value)
  }
  return found
}

type Flat = ReturnType<typeof flat>

function treeOf(flatTree: Flat): Tree {
  return new Map([...flatTree].map(([path, content]) => [path, entryOf(content)]))
}

function entryOf(content: string | null): Entry {
  const kind = content === null ? 'directory' : content.startsWith('@') ? 'link' : 'file'
  return { kind, uid: 0, gid: 0, mode: 0, sizeBytes: 0, content: content ?? '', attributes: '', identity: '' }
}

/** What `applySteps` does, on a tree in memory; it fails where the real one would. */
function carriedOut(plan: EtcPlan, next: Tree): Tree {
  const result = new Map(next)
  for (const step of plan.steps) {
    const parent = parentOf(step.path)
    if (parent !== '')
      expect({ step, parent: result.get(parent)?.kind }).toEqual({ step, parent: 'directory' })
    if (step.kind === 'remove') {
      const below = [...result.keys()].filter((path) => path.startsWith(`${step.path}/`))
      for (const path of [step.path, ...below]) result.delete(path)
    } else if (step.kind === 'copy') {
      expect(result.get(step.path)?.kind).not.toBe('directory')
      result.set(step.path, step.entry)
    } else if (step.kind !== 'write') {
      expect(result.has(step.path)).toBe(step.kind === 'dress-directory')
      result.set(step.path, step.like)
    }
  }
  return result
}

function sorted(tree: Tree): [string, Entry][] {
  return [...tree].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function merge(base: Tree, local: Tree, next: Tree): { plan: EtcPlan; result: Tree } | null {
  const plan = planMerge({ base, local, next }, nothing)
  return plan.unmergeable.length > 0 ? null : { plan, result: carriedOut(plan, next) }
}

describe('any three trees', () => {
  const bench = etcBench()
  afterEach(bench.close)

  test("a host that changed nothing gets the image's, and an image that changed nothing the host's", () => {
    fc.assert(
      fc.property(trees, trees, (one, other) => {
        const [base, changed] = [treeOf(one), treeOf(other)]
        expect(sorted(merge(base, base, changed)?.result ?? new Map())).toEqual(sorted(changed))
        const back = merge(base, changed, base)
        expect(sorted(back?.result ?? new Map())).toEqual(sorted(changed))
        expect(back?.plan.conflicts).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('a merge that is done again changes nothing, and every file changed here is there', () => {
    fc.assert(
      fc.property(trees, trees, trees, (one, two, three) => {
        const [base, local, next] = [treeOf(one), treeOf(two), treeOf(three)]
        const first = merge(base, local, next)
        fc.pre(first !== null)
        const again = merge(base, local, first.result)
        expect(again === null ? null : sorted(again.result)).toEqual(sorted(first.result))
        for (const [path, entry] of local)
          if (entry.content !== base.get(path)?.content) expect(first.result.get(path)).toEqual(entry)
        for (const path of base.keys()) if (!local.has(path)) expect(first.result.has(path)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test("a hundred thousand entries are decided within a test's time", () => {
    const many = (content: (index: number) => string): Tree => {
      const rows: [string, Entry][] = []
      for (let index = 0; index < 100_000; index += 1)
        rows.push([`d${index % 100}/${index}`, entryOf(content(index))])
      for (let index = 0; index < 100; index += 1) rows.push([`d${index}`, entryOf(null)])
      return new Map(rows)
    }
    const local = many((index) => (index % 10 === 0 ? 'L' : 'A'))
    const next = many((index) => (index % 20 === 0 ? 'N' : 'A'))
    const plan = planMerge({ base: many(() => 'A'), local, next }, nothing)
    expect([plan.carried, plan.conflicts.length, plan.steps.length]).toEqual([10_000, 5_000, 10_000])
  })

  test('the same holds on disk', async () => {
    const nodes = (tree: Flat): Nodes =>
      Object.fromEntries(
        [...tree].map(([path, content]) => {
          if (content === null) return [path, { directory: true }]
          return [path, content.startsWith('@') ? { link: content } : content]
        }),
      )
    await fc.assert(
      fc.asyncProperty(trees, trees, trees, async (base, local, next) => {
        const expected = merge(treeOf(base), treeOf(local), treeOf(next))
        const etc = await bench.open(nodes(base), nodes(local), nodes(next))
        const before = await etc.look()
        const outcome = await etc.merge().catch(() => null)
        expect(outcome === null).toBe(expected === null)
        const after = await etc.look()
        if (expected === null) expect(after).toEqual(before)
        else {
          const wanted = await bench.open(flatNodes(expected.result), {}, {})
          expect(after).toEqual(await lookAt(wanted.base))
        }
        await bench.close()
      }),
      { numRuns: 20 },
    )
  }, 120_000)

  function flatNodes(tree: Tree): Nodes {
    const rows = [...tree].map(([path, { kind, content }]) => {
      if (kind === 'directory') return [path, { directory: true }] as const
      return [path, kind === 'link' ? { link: content } : content] as const
    })
    return Object.fromEntries(rows)
  }
})
