import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { allHostsFleet } from '../../test/support/all-hosts-fleet.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'
import { exitStatus } from '../exit-status.ts'

const [one, two] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`)
let dir = ''

const fleet = (digest: string | undefined): string =>
  allHostsFleet(digest, [
    ['till-1', 'kernelArguments: [mitigations=off, my_word=y]'],
    ['till-2', 'kernelArguments: [quiet]'],
  ])

async function preview(digest: string | undefined, ...more: readonly string[]): Promise<Ran> {
  await writeFile(join(dir, 'fleet.yaml'), fleet(digest))
  return runBootfleet(['preview', dir, '--inventory', join(dir, 'hosts.inventory'), ...more])
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-preview-arguments-'))
  const running = `running: { digest: "${one}", version: 1.0.0 }`
  await writeFile(
    join(dir, 'hosts.inventory'),
    `hosts:
  - { name: till-1, ${running}, kernelArguments: [quiet, mitigations=off] }
  - { name: till-2, ${running}, kernelArguments: [quiet] }
  - { name: till-3, ${running}, kernelArguments: ["a|<b>"] }
`,
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

it('names the kernel arguments that each host gets and loses, where no image changes', async () => {
  const { out, status } = await preview(one, '--detailed-exitcode')
  expect(status).toBe(exitStatus.differences)
  expect(out).toContain('fleet edge: no image changes on 3 hosts; kernel arguments change on 2\n')
  expect(out).toMatch(/^HOST +FLEET +KERNEL ARGUMENTS$/m)
  expect(out).toMatch(/^till-1 +edge +-quiet \+my_word=y$/m)
  expect(out).toMatch(/^till-3 +edge +-a\|<b>$/m)
  expect(out).not.toMatch(/^till-2/m)
})

it('names them beside an image that changes', async () => {
  const { out } = await preview(two)
  expect(out).toMatch(/^fleet edge: .* on 3 of 3 hosts; kernel arguments change on 2$/m)
  expect(out).toMatch(/^till-3 +edge +-a\|<b>$/m)
})

it('tells scripts both lists, and what came and went', async () => {
  const { out } = await preview(one, '-o', 'json')
  expect(JSON.parse(out)).toMatchObject({
    kernelArguments: [
      {
        name: 'till-1',
        fleet: 'edge',
        from: ['quiet', 'mitigations=off'],
        to: ['mitigations=off', 'my_word=y'],
        added: ['my_word=y'],
        removed: ['quiet'],
      },
      { name: 'till-3', fleet: 'edge', from: ['a|<b>'], to: [], added: [], removed: ['a|<b>'] },
    ],
  })
})

it('has a table of them in a pull request, in which nothing becomes markup', async () => {
  const { out } = await preview(one, '-o', 'markdown')
  expect(out).toContain('#### Kernel arguments\n\n| HOST | FLEET | KERNEL ARGUMENTS |\n')
  expect(out).toContain('| till-1 | edge | -quiet +my\\_word=y |')
  expect(out).toContain('| till-3 | edge | -a\\|&lt;b> |')
})
