import { expect, it } from 'vitest'
import { parseInventory } from './inventory.ts'

it('an inventory may name hosts that only report, and they are in no rollout that is looked ahead at', () => {
  const text = 'hosts:\n  - { name: till-1 }\n  - { name: db-1, reportOnly: true }\n'
  expect(parseInventory('hosts.yaml', text)).toEqual([
    {
      name: 'till-1',
      labels: {},
      architecture: 'amd64',
      running: null,
      kernelArguments: [],
      connected: true,
      unguarded: false,
    },
  ])
})

it('a name that is there twice is refused, also where one of the two only reports', () => {
  const text = 'hosts:\n  - { name: db-1 }\n  - { name: db-1, reportOnly: true }\n'
  expect(() => parseInventory('hosts.yaml', text)).toThrow('hosts[1].name: a host "db-1" is there already')
})
