// Prints each branch of the pure folders that no test took, and fails when there is one.
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'

const pure = ['controller/desired-state/', 'controller/rollout/', 'agent/update/']
const coverage = JSON.parse(await readFile('coverage/coverage-final.json', 'utf8'))
const files = Object.values(coverage).filter(({ path }) =>
  pure.some((folder) => relative('.', path).startsWith(folder)),
)
const found = await Promise.all(files.map(uncoveredIn))
const lines = found.flat()
for (const line of lines) console.log(line)
const { length } = lines
console.log(length === 0 ? 'every branch is taken by a test' : `${length} branches are taken by no test`)
process.exitCode = length === 0 ? 0 : 1

async function uncoveredIn({ path, branchMap, b: taken }) {
  const text = (await readFile(path, 'utf8')).split('\n')
  return Object.entries(branchMap).flatMap(([id, { type, loc, locations }]) =>
    locations.flatMap(({ start }, arm) => {
      const line = start.line ?? loc.start.line
      const where = `${relative('.', path)}:${line} ${type} ${arm}: ${(text[line - 1] ?? '').trim()}`
      return taken[id][arm] === 0 ? [where] : []
    }),
  )
}
