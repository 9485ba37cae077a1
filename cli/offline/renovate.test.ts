import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'

const preset = new URL('../../docs/recipes/renovate.json', import.meta.url)
const digest = `sha256:${'a'.repeat(64)}`

/** As Renovate reads it: one regular expression over the whole file. */
function found(yaml: string): unknown {
  const { customManagers } = JSON.parse(readFileSync(preset, 'utf8')) as {
    readonly customManagers: readonly { readonly matchStrings: readonly string[] }[]
  }
  const [pattern = ''] = customManagers[0]?.matchStrings ?? []
  return { ...new RegExp(pattern, 'm').exec(yaml)?.groups }
}

function fleet(image: string): string {
  return `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image:${image}
`
}

it.each([
  ['block', `\n    repository: registry.example/os/edge\n    digest: ${digest} # 42.1.0`],
  ['quoted', `\n    repository: "registry.example/os/edge"\n    digest: '${digest}' # 42.1.0`],
  ['flow', ` { repository: registry.example/os/edge,\n    digest: ${digest}, # 42.1.0\n    }`],
])('lets the shipped Renovate preset find repository, digest and tag in %s style', (_, image) => {
  const yaml = fleet(image)
  expect(found(yaml)).toEqual({
    depName: 'registry.example/os/edge',
    currentDigest: digest,
    currentValue: '42.1.0',
  })
  expect(parseDesiredState([{ path: 'fleet.yaml', text: yaml }])).toMatchObject({ ok: true })
})

it('leaves a digest alone of which nobody wrote what tag it is', () => {
  expect(found(fleet(`\n    repository: registry.example/os/edge\n    digest: ${digest}`))).toEqual({})
})
